"""MotionWorld as a benchmark and as training rows: what is written is what is read."""

import json
from argparse import ArgumentParser
from pathlib import Path

import pytest

from harness.cli.exits import Exit
from harness.errors import DatasetError, UsageError
from harness.schema import Kind, MediaKind, Outcome, Sample, Sampling
from harness.task import registry
from harness.video.decode import decode
from tasks.motionworld.aspects import ASPECTS
from tasks.motionworld.command import DEFAULT_ASPECTS, WorldCommand
from tasks.motionworld.drawing import N_FRAMES, SIDE
from tasks.motionworld.folder import MANIFEST, write_dataset
from tasks.motionworld.splits import VERSION, Split
from tasks.motionworld.stills import STILLS
from tasks.motionworld.task import FRAMES, MotionWorld, MotionWorldStills
from trainer.data.rows import read_training_rows

SMALL = (
    Split(name="sft", pairs=2, stills=1),
    Split(name="test", pairs=2, stills=2, held_out=True),
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small") / "world"
    write_dataset(folder, splits=SMALL)
    return folder


def question(kind: Kind, answer: str, options: tuple[str, ...] = ()) -> Sample:
    return Sample(
        id="motionworld/direction/0000a",
        task="motionworld",
        question="Which way does the red circle move?",
        options=options,
        answer=answer,
        kind=kind,
        category="direction/seen",
        cluster="direction/0000",
    )


CHOICE = question(Kind.MULTIPLE_CHOICE, "C", ("up", "down", "left", "right"))
COUNT = question(Kind.NUMERICAL, "3")
WIDTH = question(Kind.REGRESSION, "18")


def test_both_benchmarks_are_installed() -> None:
    """The task plugins are found by name, as any package's would be."""
    assert isinstance(registry.get("motionworld"), MotionWorld)
    assert isinstance(registry.get("motionworld-stills"), MotionWorldStills)


def test_every_question_of_a_split_loads(world: Path) -> None:
    """Ids, categories and clusters contain aspect, look and pair; every medium is there."""
    samples = MotionWorld().load(world / "test" / "motionworld").samples
    assert len(samples) == len(ASPECTS) * 2 * 2
    assert samples[0].id == "motionworld/action/0000a"
    assert {sample.category for sample in samples} == {
        f"{aspect}/{look}" for aspect in ASPECTS for look in ("seen", "new")
    }
    for one, other in zip(samples[::2], samples[1::2], strict=True):
        assert one.cluster == other.cluster
        assert (one.question, one.options) == (other.question, other.options)
        assert one.answer != other.answer
    assert all(sample.media[0].path.is_file() for sample in samples)


def test_stills_are_a_benchmark_of_their_own(world: Path) -> None:
    """Pictures have no time, so they stay out of the score that is about time."""
    samples = MotionWorldStills().load(world / "test" / "motionworld-stills").samples
    assert {sample.category.split("/")[0] for sample in samples} == set(STILLS)
    assert {sample.media[0].kind for sample in samples} == {MediaKind.IMAGE}
    assert samples[0].id == "motionworld-stills/colour/0000"


def test_the_frame_rule_takes_every_frame_at_its_own_size(world: Path) -> None:
    """Both presets show all eight frames, 56 by 56 pixels, with their times."""
    task = MotionWorld()
    for suite in ("video-r1", "official"):
        assert task.protocol(suite).frames == FRAMES
    [medium] = task.load(world / "test" / "motionworld").samples[0].media
    clip = decode(medium, FRAMES, patch_multiple=28)
    assert clip.frames.shape == (N_FRAMES, SIDE, SIDE, 3)
    assert clip.indices == tuple(range(N_FRAMES))


def test_training_rows_are_in_the_papers_format(world: Path) -> None:
    """The trainer reads every row, finds its medium, and every row has a rationale."""
    rows = read_training_rows([world / "sft.json"], [world])
    assert len(rows) == len(ASPECTS) * 2 * 2 + len(STILLS)
    assert all(row.sample.media[0].path.is_file() for row in rows)
    assert all(row.rationale and row.rationale.startswith("<think>") for row in rows)
    assert {row.sample.kind for row in rows} == {
        Kind.MULTIPLE_CHOICE,
        Kind.NUMERICAL,
        Kind.REGRESSION,
    }


def test_a_dataset_may_have_some_aspects_only(world: Path, tmp_path: Path) -> None:
    """The rows that are left are those of the whole dataset, and there are no image questions."""
    write_dataset(tmp_path, aspects=("order",), splits=SMALL)
    some, whole = (json.loads((folder / "sft.json").read_text()) for folder in (tmp_path, world))
    assert [row["problem"] for row in some] == [
        row["problem"] for row in whole if row["aspect"] == "order"
    ]
    assert [path.name for path in (tmp_path / "test").iterdir()] == ["motionworld"]


def test_the_folder_says_which_dataset_it_is(world: Path) -> None:
    """Version, seed, aspects and the size of every split are written beside the rows."""
    manifest = json.loads((world / MANIFEST).read_text())
    assert (manifest["version"], manifest["seed"]) == (VERSION, 0)
    assert manifest["aspects"] == [*ASPECTS, *STILLS]
    assert [split["name"] for split in manifest["splits"]] == ["sft", "test"]


def test_the_same_seed_writes_the_same_bytes(world: Path, tmp_path: Path) -> None:
    """Rows and media of a second dataset are those of the first, byte for byte."""
    write_dataset(tmp_path, splits=SMALL)
    written = {path.relative_to(world): path for path in world.rglob("*") if path.is_file()}
    assert len(written) > 60
    for relative, path in written.items():
        assert (tmp_path / relative).read_bytes() == path.read_bytes(), relative


def test_an_existing_folder_is_not_written_over(tmp_path: Path) -> None:
    """The command refuses a folder that is there."""
    parser = ArgumentParser()
    WorldCommand().configure(parser)
    with pytest.raises(UsageError, match="exists; remove it or choose another --out"):
        WorldCommand().run(parser.parse_args(["--out", str(tmp_path)]))


def test_the_command_moves_a_finished_dataset_to_its_place(tmp_path: Path) -> None:
    """The folder appears whole or not at all, and nothing is left beside it."""
    parser = ArgumentParser()
    command = WorldCommand(SMALL)
    command.configure(parser)
    verdict = command.run(
        parser.parse_args(["--out", str(tmp_path / "world"), "--seed", "3", "--no-checkpoint"])
    )
    assert verdict.code is Exit.OK
    assert [path.name for path in tmp_path.iterdir()] == ["world"]
    manifest = json.loads((tmp_path / "world" / MANIFEST).read_text())
    assert (manifest["seed"], tuple(manifest["aspects"])) == (3, DEFAULT_ASPECTS)


def test_an_unknown_aspect_is_refused(tmp_path: Path) -> None:
    """The message lists what there is, and nothing is written."""
    parser = ArgumentParser()
    WorldCommand().configure(parser)
    args = parser.parse_args(["--out", str(tmp_path / "world"), "--aspects", "order,colours"])
    with pytest.raises(UsageError, match="unknown aspect 'colours'; expected all or some of"):
        WorldCommand().run(args)
    assert not list(tmp_path.iterdir())


def test_the_official_prompt_asks_for_the_bare_answer() -> None:
    """Options stand with their letters; numbers are asked for as numbers."""
    task = MotionWorld()
    assert task.prompt(CHOICE, "official").text == (
        "Which way does the red circle move?\nA. up\nB. down\nC. left\nD. right\n"
        "Answer with the letter only."
    )
    assert task.prompt(COUNT, "official").text.endswith("Answer with the number only.")


def test_presets_leave_room_for_short_answers_only() -> None:
    """The paper's sampling with fewer tokens, and greedy sampling for the official prompt."""
    task = MotionWorld()
    assert task.protocol("video-r1").sampling == Sampling(
        temperature=0.01, top_p=0.001, max_tokens=96
    )
    assert task.protocol("official").sampling == Sampling(temperature=0.0, max_tokens=16)


@pytest.mark.parametrize(
    ("sample", "text", "value", "outcome"),
    [
        (CHOICE, "C", 1.0, Outcome.CORRECT),
        (CHOICE, "(c).", 1.0, Outcome.CORRECT),
        (CHOICE, "C. left", 1.0, Outcome.CORRECT),
        (CHOICE, "B", 0.0, Outcome.WRONG),
        (CHOICE, "E", 0.0, Outcome.NO_ANSWER),
        (CHOICE, "left", 0.0, Outcome.NO_ANSWER),
        (CHOICE, "", 0.0, Outcome.NO_ANSWER),
        (COUNT, "3 times", 1.0, Outcome.CORRECT),
        (COUNT, "4", 0.0, Outcome.WRONG),
        (COUNT, "three", 0.0, Outcome.NO_ANSWER),
        (WIDTH, "18", 1.0, Outcome.CORRECT),
        # |20 - 18| / 18 = 0.111: within 1 - 0.50, ... 1 - 0.85, so 8 of 10 thresholds.
        (WIDTH, "20 pixels", 0.8, Outcome.PARTIAL),
        (WIDTH, "8", 0.0, Outcome.WRONG),
        (WIDTH, "wide", 0.0, Outcome.NO_ANSWER),
    ],
)
def test_the_official_rule_reads_the_first_word(
    sample: Sample, text: str, value: float, outcome: Outcome
) -> None:
    """Letters and counts are right or wrong, widths are graded, the rest is no answer."""
    score = MotionWorld().scorers["official"].score(sample, text)
    assert (score.value, score.outcome) == (value, outcome)


def test_the_papers_rule_reads_the_tagged_answer() -> None:
    """Under ``video-r1`` the letter is inside ``<answer>``."""
    text = (
        "<think>The red circle starts at the right, it moves left: C.</think>\n<answer>C</answer>"
    )
    assert MotionWorld().scorers["video-r1"].score(CHOICE, text).value == 1.0
    assert MotionWorld().scorers["official"].score(CHOICE, text).outcome is Outcome.NO_ANSWER
    assert MotionWorld().scorers["official+answer"].score(CHOICE, text).value == 1.0


def test_a_row_without_a_tagged_solution_is_named(tmp_path: Path) -> None:
    """The error names the file, the row and the field."""
    row = {"path": "./a.mp4", "solution": "C"}
    (tmp_path / "questions.json").write_text(json.dumps([row]))
    with pytest.raises(DatasetError, match=r"questions\.json, row 0: field 'solution'"):
        MotionWorld().load(tmp_path)
