"""VSI-Bench: files of every layout, prompts, presets, and the official and Video-R1 scorers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from harness.errors import DatasetError, UsageError
from harness.run.selections import select
from harness.schema import FrameRule, Kind, Media, Outcome, Record, Sample, Sampling
from harness.stats import clustered_estimate
from harness.task.api import Aggregation
from tasks.vsibench import CHOICE_TYPES, NUMERICAL_TYPES, VSIBench
from tests.paths import SHARED
from tests.tasks.paper import paper_prompt

TASK = VSIBench()
PAPER = SHARED / "data" / "video-r1-eval" / "eval_vsibench.json"

LINE = (
    '{"id": 0, "dataset": "arkitscenes", "scene_name": "41069025",'
    ' "question_type": "object_counting", "question": "How many table(s) are in this room?",'
    ' "ground_truth": "4", "options": null, "pruned": false}\n'
)
COUNT: dict[str, Any] = {
    "id": 1,
    "dataset": "scannet",
    "scene_name": "scene0000_00",
    "question_type": "object_counting",
    "question": "How many stool(s) are in this room?",
    "options": None,
    "ground_truth": "3",
    "pruned": False,
}
TURN: dict[str, Any] = {
    "id": 2,
    "dataset": "scannetpp",
    "scene_name": "41000000",
    "question_type": "object_rel_direction_easy",
    "question": "Is the sofa to the left or the right of the tv?",
    "options": ["A. left", "B. right"],
    "ground_truth": "B",
    "pruned": True,
}


def numerical(gold: str) -> Sample:
    return Sample(
        id="vsibench/1",
        task="vsibench",
        question="How many chairs are in this room?",
        answer=gold,
        kind=Kind.REGRESSION,
        category="object_counting",
        cluster="scannet/scene0000_00",
    )


CHOICE = Sample(
    id="vsibench/2",
    task="vsibench",
    question="Left or right?",
    answer="A",
    kind=Kind.MULTIPLE_CHOICE,
    category="object_rel_direction_easy",
    cluster="scannet/scene0000_00",
    options=("left", "right"),
)


def load(folder: Path, *rows: dict[str, Any]) -> tuple[Sample, ...]:
    (folder / "test.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return TASK.load(folder).samples


def mean(aggregation: Aggregation, values: Sequence[tuple[str, float]]) -> float:
    paths = [aggregation.levels(category) for category, _ in values]
    return clustered_estimate([value for _, value in values], ["v"] * len(values), paths).mean


def test_a_line_of_the_hub_is_read_field_by_field(tmp_path: Path) -> None:
    """A line in the published form becomes a sample with its video inside the benchmark folder."""
    (tmp_path / "test.jsonl").write_text(LINE)
    questions = TASK.load(tmp_path)
    assert questions.files == (tmp_path / "test.jsonl",)
    assert questions.samples == (
        Sample(
            id="vsibench/0",
            task="vsibench",
            question="How many table(s) are in this room?",
            answer="4",
            kind=Kind.REGRESSION,
            category="object_counting",
            cluster="arkitscenes/41069025",
            media=(Media(path=tmp_path / "arkitscenes/41069025.mp4"),),
        ),
    )


def test_a_choice_has_texts_without_letters(tmp_path: Path) -> None:
    """Letters come off the options and the gold answer is a letter."""
    (sample,) = load(tmp_path, TURN)
    assert (sample.kind, sample.answer) == (Kind.MULTIPLE_CHOICE, "B")
    assert sample.options == ("left", "right")


@pytest.mark.parametrize(
    "names",
    [
        ["test.jsonl"],
        ["test.json"],
        ["test.parquet"],
        ["test-00000-of-00001.parquet"],
        ["test_debiased.parquet", "test_pruned.parquet"],
    ],
)
def test_every_published_layout_gives_the_full_set(tmp_path: Path, names: list[str]) -> None:
    """Old dumps in one Parquet file, new ones in two, JSON and JSON lines hold the same samples."""
    parts = [[COUNT, TURN]] if len(names) == 1 else [[COUNT], [TURN]]
    for name, rows in zip(names, parts, strict=True):
        match Path(name).suffix:
            case ".parquet":
                parquet.write_table(pa.Table.from_pylist(rows), tmp_path / name)
            case ".json":
                (tmp_path / name).write_text(json.dumps(rows))
            case _:
                (tmp_path / name).write_text("\n".join(map(json.dumps, rows)))
    questions = TASK.load(tmp_path)
    assert [sample.id for sample in questions.samples] == ["vsibench/1", "vsibench/2"]
    assert [sample.options for sample in questions.samples] == [(), ("left", "right")]
    assert [file.name for file in questions.files] == names


def test_a_hub_snapshot_is_not_counted_twice(tmp_path: Path) -> None:
    """Beside the JSON lines the Parquet files, which hold the same questions, are left alone."""
    for name in ("test_debiased.parquet", "test_pruned.parquet"):
        parquet.write_table(pa.Table.from_pylist([COUNT]), tmp_path / name)
    assert len(load(tmp_path, COUNT, TURN)) == 2


def test_rows_from_before_the_debiased_release_are_read(tmp_path: Path) -> None:
    """The field ``pruned`` is younger than the benchmark and not needed."""
    old = {name: value for name, value in COUNT.items() if name != "pruned"}
    assert len(load(tmp_path, old)) == 1


def test_numbers_stay_as_written(tmp_path: Path) -> None:
    """Gold numbers are kept as text, whether the file has them quoted or not."""
    rows = [COUNT | {"id": 1, "ground_truth": "1.80"}, COUNT | {"id": 2, "ground_truth": 1.8}]
    assert [sample.answer for sample in load(tmp_path, *rows)] == ["1.80", "1.8"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (COUNT | {"question_type": "object_colour"}, "one of the ten types of VSI-Bench"),
        (COUNT | {"question": None}, "field 'question': expected a string"),
        (COUNT | {"id": None}, "field 'id': expected"),
        (COUNT | {"scene_name": ["x"]}, "field 'scene_name': expected"),
        (COUNT | {"ground_truth": "three"}, "expected a number above 0, got 'three'"),
        (COUNT | {"ground_truth": "0"}, "expected a number above 0"),
        (COUNT | {"ground_truth": "-1"}, "expected a number above 0"),
        (COUNT | {"ground_truth": "1,200"}, "expected a number above 0"),
        (TURN | {"ground_truth": "C"}, "the letter of one of 2 options"),
        (TURN | {"ground_truth": "left"}, "the letter of one of 2 options"),
        (TURN | {"options": None}, "the letter of one of 0 options"),
        (TURN | {"options": "A. left"}, "expected a list of strings"),
        (COUNT | {"dataset": "../.."}, "leaves the data root"),
        (COUNT | {"scene_name": "../../secret"}, "leaves the data root"),
    ],
)
def test_a_malformed_row_is_named(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    """The error names file and row and says what was expected."""
    with pytest.raises(DatasetError, match=rf"test\.jsonl, row 1: .*{message}"):
        load(tmp_path, TURN, row)


def test_a_folder_without_questions_is_an_error(tmp_path: Path) -> None:
    """An empty folder is no empty benchmark."""
    with pytest.raises(DatasetError, match=r"no question file; looked for test\.jsonl"):
        TASK.load(tmp_path)


def test_the_official_prompt_of_a_choice_is_the_publishers() -> None:
    """Options stand one per line with their letters, before the request for a letter."""
    prompt = TASK.prompt(CHOICE, "official")
    assert (prompt.system, prompt.prefill) == (None, "")
    assert prompt.text == (
        "These are frames of a video.\nLeft or right?\nOptions:\nA. left\nB. right\n"
        "Answer with the option's letter from the given choices directly."
    )


def test_the_official_prompt_of_a_number_is_the_publishers() -> None:
    """Open models are asked for a single word or phrase."""
    assert TASK.prompt(numerical("3"), "official").text == (
        "These are frames of a video.\nHow many chairs are in this room?\n"
        "Please answer the question using a single word or phrase."
    )


def test_the_paper_asks_with_its_own_prompt() -> None:
    """Under ``video-r1`` numbers are asked for as the paper's regression questions."""
    text = TASK.prompt(numerical("3"), "video-r1").text
    assert text.startswith("How many chairs are in this room?\nPlease think about this question")
    assert text.endswith(
        " Please provide the numerical value (e.g., 42 or 3.14) within the <answer> </answer> tags."
    )


@pytest.mark.skipif(not PAPER.is_file(), reason=f"Video-R1's rows are not at {PAPER}")
def test_video_r1_asks_the_questions_of_its_own_file(tmp_path: Path) -> None:
    """All 5,130 prompts and answers, the rows given back the publisher's fields."""
    rows = json.loads(PAPER.read_text())
    samples = load(tmp_path, *(published_row(number, row) for number, row in enumerate(rows)))
    rule = TASK.scorers["video-r1"]
    assert len(samples) == 5_130
    for item, row in zip(samples, rows, strict=True):
        assert TASK.prompt(item, "video-r1").text == paper_prompt(row), item.id
        assert row["solution"] == f"<answer>{item.answer}</answer>", item.id
        assert rule.score(item, row["solution"]).value == 1, item.id


def published_row(number: int, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of Video-R1's file in the fields of the hub."""
    dataset, scene = row["path"].removesuffix(".mp4").split("/")[-2:]
    return {
        "id": number,
        "dataset": dataset,
        "scene_name": scene,
        "question_type": row["original_question_type"],
        "question": row["problem"],
        "options": row["options"],
        "ground_truth": row["solution"].removeprefix("<answer>").removesuffix("</answer>"),
    }


def test_an_unknown_template_is_refused() -> None:
    """The error lists the known templates."""
    with pytest.raises(UsageError, match="known: video-r1, official"):
        TASK.prompt(CHOICE, "short")


@pytest.mark.parametrize(
    ("text", "gold", "official", "paper"),
    [
        ("3", "4", 0.6, 0.5),
        ("1", "2", 0.1, 0.0),
        ("3", "2", 0.1, 0.0),
        ("3 meters", "3", 1.0, 0.0),
        ("3m", "3", 0.0, 0.0),
        ("~3", "3", 0.0, 0.0),
        ("There are 3 chairs", "3", 0.0, 0.0),
        ("three", "3", 0.0, 0.0),
        ("twenty-five", "25", 0.0, 0.0),
        ("1,200", "1200", 0.0, 1.0),
        ("1e1", "10", 1.0, 1.0),
        ("about 12.5 square meters, i.e. 134 sq ft", "12.5", 0.0, 0.0),
        ("There are 3 chairs and 2 tables. Answer: 5", "5", 0.0, 0.0),
        ("one of the 3 chairs", "3", 0.0, 0.0),
        ("<think>2 or 4</think>\n<answer>3</answer>", "3", 0.0, 1.0),
        ("<think>x</think><answer>3 chairs</answer>", "3", 0.0, 0.0),
        ("<think>2 and 4", "3", 0.0, 0.0),
        ("2", "2.5", 0.6, 0.6),
        ("9", "10", 0.9, 0.9),
        ("7", "10", 0.5, 0.4),
        ("0.9", "0.6", 0.0, 0.1),
        ("3.", "3", 1.0, 1.0),
        ("3\nchairs", "3", 0.0, 0.0),
        (" 3", "3", 0.0, 1.0),
        ("", "3", 0.0, 0.0),
        ("nan", "3", 0.0, 0.0),
        ("inf", "3", 0.0, 0.0),
        ("-3", "3", 0.0, 0.0),
    ],
)
def test_numbers_score_as_the_two_sources_score_them(
    text: str, gold: str, official: float, paper: float
) -> None:
    """Every response of the comparison of harnesses gets its executed score."""
    assert TASK.scorers["official"].score(numerical(gold), text).value == official
    assert TASK.scorers["video-r1"].score(numerical(gold), text).value == paper


@pytest.mark.parametrize(
    ("text", "official", "paper"),
    [
        ("A", 1.0, 1.0),
        ("a", 1.0, 0.0),
        ("A.", 1.0, 0.0),
        ("A. left", 1.0, 0.0),
        ("A) left", 0.0, 0.0),
        ("(A)", 0.0, 0.0),
        ("A:", 0.0, 0.0),
        ("A\nBecause…", 0.0, 0.0),
        ("The answer is A", 0.0, 0.0),
        ("Answer: A", 0.0, 0.0),
        ("<think>x</think>\n<answer>A</answer>", 0.0, 1.0),
        ("<think>x</think>\nA", 0.0, 0.0),
        ("<think>x</think>\n<answer>A. left</answer>", 0.0, 0.0),
        ("<think>maybe <answer>B</answer></think><answer>A</answer>", 0.0, 0.0),
        ("A\n", 1.0, 1.0),
        ("A.\n", 0.0, 0.0),
        (" A", 0.0, 1.0),
        ("B", 0.0, 0.0),
        ("", 0.0, 0.0),
    ],
)
def test_letters_score_as_the_two_sources_score_them(
    text: str, official: float, paper: float
) -> None:
    """Every response of the comparison of harnesses gets its executed score."""
    assert TASK.scorers["official"].score(CHOICE, text).value == official
    assert TASK.scorers["video-r1"].score(CHOICE, text).value == paper


@pytest.mark.parametrize(
    ("sample", "text", "outcome", "answer"),
    [
        (CHOICE, "a. left", Outcome.CORRECT, "A"),
        (CHOICE, "B", Outcome.WRONG, "B"),
        (CHOICE, "C", Outcome.NO_ANSWER, None),
        (CHOICE, "(A)", Outcome.NO_ANSWER, None),
        (CHOICE, "", Outcome.NO_ANSWER, None),
        (numerical("3"), "3 meters", Outcome.CORRECT, "3"),
        (numerical("4"), "3.", Outcome.PARTIAL, "3"),
        (numerical("3"), "30", Outcome.WRONG, "30"),
        (numerical("3"), "3m", Outcome.NO_ANSWER, None),
        (numerical("3"), "nan", Outcome.NO_ANSWER, None),
    ],
)
def test_an_unreadable_answer_is_not_a_wrong_one(
    sample: Sample, text: str, outcome: Outcome, answer: str | None
) -> None:
    """The outcome tells whether the official rule read an option or a number at all."""
    score = TASK.scorers["official"].score(sample, text)
    assert (score.outcome, score.answer) == (outcome, answer)


def test_tagged_reasoning_has_a_scorer_of_its_own() -> None:
    """The official rule after ``<answer>`` extraction accepts what the paper's rule refuses."""
    text = "<think>x</think>\n<answer>A. left</answer>"
    assert TASK.scorers["official+answer"].score(CHOICE, text).value == 1.0
    assert TASK.scorers["official+answer"].aggregation.name == "macro8"


@given(
    st.sampled_from([CHOICE, numerical("3"), numerical("0.1")]),
    st.sampled_from(sorted(TASK.scorers.keys() - {"lmms-eval"})),
    st.text() | st.text("aAbB1.,e- \n<answer>/()") | st.floats().map(str),
)
def test_any_text_has_a_score(sample: Sample, scorer: str, text: str) -> None:
    """No scorer fails on any text or leaves the range from 0 to 1."""
    score = TASK.scorers[scorer].score(sample, text)
    assert score.value is not None
    assert 0 <= score.value <= 1


def test_the_official_score_is_the_mean_of_eight_tasks() -> None:
    """The three direction types are one task, whatever their sizes."""
    values = [(kind, 0.0) for kind in sorted(NUMERICAL_TYPES | CHOICE_TYPES)]
    values += [("object_rel_direction_easy", 1.0)] * 3  # its mean is now 3/4, of three types
    values += [("object_counting", 0.5)]
    macro8 = TASK.scorers["official"].aggregation
    assert macro8.name == "macro8"
    assert mean(macro8, values) == pytest.approx((0.75 / 3 + 0.25) / 8)


def test_the_paper_averages_accuracy_and_relative_accuracy() -> None:
    """Under ``video-r1`` all choices are one half of the score and all numbers the other."""
    values = [("object_counting", 0.4), ("room_size_estimation", 0.8), ("route_planning", 1.0)]
    means = TASK.scorers["video-r1"].aggregation
    assert means.name == "acc_mra_mean"
    assert mean(means, values) == pytest.approx((0.6 + 1.0) / 2)


def test_the_official_preset_is_short_and_greedy() -> None:
    """32 evenly spaced frames and 16 new tokens without sampling."""
    protocol = TASK.protocol("official")
    assert (protocol.task, protocol.scorer) == ("vsibench@1", "official@1")
    assert protocol.sampling == Sampling(temperature=0.0, max_tokens=16)
    assert protocol.frames is not None
    assert protocol.frames.rule is FrameRule.LINSPACE
    assert protocol.frames.max_frames == 32


def test_the_paper_preset_is_the_papers() -> None:
    """At most 16 frames at 2 fps, 1024 new tokens at next to no temperature."""
    protocol = TASK.protocol("video-r1")
    assert (protocol.template, protocol.scorer) == ("video-r1", "video-r1@1")
    assert protocol.sampling == Sampling(temperature=0.01, top_p=0.001, max_tokens=1024)
    assert protocol.frames is not None
    assert protocol.frames.rule is FrameRule.VIDEO_R1
    assert (protocol.frames.fps, protocol.frames.max_frames) == (2.0, 16)
    assert not protocol.frames.whole


def test_an_unknown_preset_is_refused() -> None:
    """The error lists the known presets."""
    with pytest.raises(UsageError, match="known: video-r1, official"):
        TASK.protocol("lmms")


# --- VSI-Bench-Debiased


def three(**changes: Any) -> list[dict[str, Any]]:
    return [COUNT | {"id": number} | changes for number in (1, 2, 3)]


def test_the_debiased_questions_are_a_selection_by_id(tmp_path: Path) -> None:
    """By the column of the rows, whatever their order."""
    rows = [row | {"pruned": row["id"] != 2} for row in three()]
    load(tmp_path, *rows[::-1])
    subsets = TASK.load(tmp_path).subsets
    assert subsets == {
        "debiased": frozenset({"vsibench/2"}), "pruned": frozenset({"vsibench/1", "vsibench/3"}),
    }  # fmt: skip
    questions, _ = select(VSIBench(), tmp_path.parent, "vsibench")
    assert len(questions.samples) == 3
    questions, _ = select(VSIBench(), tmp_path.parent, "vsibench:debiased")
    assert [sample.id for sample in questions.samples] == ["vsibench/2"]


@pytest.fixture
def tmp_path(tmp_path: Path) -> Path:
    """A folder with the benchmark's name."""
    (tmp_path / "vsibench").mkdir()
    return tmp_path / "vsibench"


def test_a_list_of_pruned_ids_will_do(tmp_path: Path) -> None:
    """For rows without the column; ids of other questions change nothing."""
    (tmp_path / "pruned_ids.txt").write_text("1\n3\n999\n")
    load(tmp_path, *three(pruned=None))
    assert TASK.load(tmp_path).subsets["debiased"] == frozenset({"vsibench/2"})


def test_the_names_of_the_parquet_files_will_do(tmp_path: Path) -> None:
    """The hub has one per part."""
    rows = [{k: v for k, v in row.items() if k != "pruned"} for row in three()]
    for name, part in (("debiased", rows[:1]), ("pruned", rows[1:])):
        parquet.write_table(pa.Table.from_pylist(part), tmp_path / f"test_{name}.parquet")
    assert TASK.load(tmp_path).subsets["debiased"] == frozenset({"vsibench/1"})


def test_data_without_pruned_questions_are_debiased(tmp_path: Path) -> None:
    """As a part of the hub's rows may be."""
    load(tmp_path, *three(pruned=False))
    assert len(TASK.load(tmp_path).subsets["debiased"]) == 3


def test_older_data_have_no_debiased_part(tmp_path: Path) -> None:
    """The selection is unknown then, and the message lists the known ones."""
    load(tmp_path, *three(pruned=None))
    assert TASK.load(tmp_path).subsets == {}
    with pytest.raises(UsageError, match="no config 'debiased'; it has: object_counting"):
        select(VSIBench(), tmp_path.parent, "vsibench:debiased")


def test_a_malformed_mark_is_named(tmp_path: Path) -> None:
    """As any other field."""
    with pytest.raises(DatasetError, match="field 'pruned': expected true or false"):
        load(tmp_path, *three(pruned="yes"))


def test_a_full_run_has_the_debiased_scores_beside_its_own(tmp_path: Path) -> None:
    """Two of three questions are kept, worth 1 and 0; both ways of averaging."""
    load(tmp_path, *(row | {"pruned": row["id"] == 3} for row in three()))
    task = VSIBench()
    task.load(tmp_path)

    def record(name: str, value: float, category: str) -> Record:
        return Record(
            id=f"vsibench/{name}", task="vsibench", variant="ordered", cluster=name,
            category=category, outcome=Outcome.PARTIAL, value=value, answer=None, gold="3",
            scorer="official@1",
        )  # fmt: skip

    records = [
        record("1", 1.0, "object_counting"), record("2", 0.0, "route_planning"),
        record("3", 0.5, "object_counting"),
    ]  # fmt: skip
    assert task.extra({"vsibench": records}) == {
        "debiased": 50.0, "debiased_micro": 50.0, "full_micro": 50.0,
    }  # fmt: skip
    assert task.extra({"vsibench": records[:2]}) == {}
    assert VSIBench().extra({"vsibench": records}) == {}


def test_the_wording_for_served_models_is_a_template() -> None:
    """Numbers are asked for as in the publishers' GPT and Gemini runs, choices as always."""
    asked = TASK.prompt(numerical("3"), "official-api").text
    assert asked.endswith("in this room?\nDo not response anything other than a single number!")
    assert TASK.prompt(CHOICE, "official-api") == TASK.prompt(CHOICE, "official")
