"""A run keeps its questions, once, before the first answer, and can be read without its data."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

import harness
from harness.backends.fake import FakeBackend
from harness.backends.select import ResolvedEngine
from harness.cli import main
from harness.errors import DatasetError, RunMismatchError
from harness.run.evaluate import evaluate_plan
from harness.run.manifest import make_manifest
from harness.run.observer import RunObserver
from harness.run.plan import Plan
from harness.run.samples_file import SAMPLES, StoredMedia, keep_samples, read_samples
from harness.run.store import read_records
from harness.schema import Kind, Media, MediaKind, Prompt
from tasks.demo.layouts import write_mvbench
from tests.faults.hostile import HOSTILE
from tests.paths import ROOT
from tests.toys import ToyTask, planned, sample


def _plan(*samples):
    return Plan((planned(samples),))


def _manifest(plan, **changes):
    made = make_manifest(
        plan, model="x", checkpoint={"kind": "fake"}, backend="fake", limit=None, argv=()
    )
    return {**made, **changes}


def _keep(folder, plan, **changes):
    folder.mkdir(exist_ok=True)
    manifest = _manifest(plan, **changes)
    (folder / "run.json").write_text(json.dumps(manifest))
    keep_samples(folder, plan, manifest)
    return read_samples(folder)


def test_a_question_is_stored_with_all_that_was_asked(tmp_path):
    """Question, options, gold answer, video relative to the data root, span, and the prompt."""
    media = Media(path=tmp_path / "data" / "toy" / "v.mp4", start_s=1.5, end_s=4.0)
    samples = _keep(tmp_path / "run", _plan(sample(3, (media,))), data_root=str(tmp_path / "data"))
    [stored] = samples.values()
    assert (stored.id, stored.task, stored.question) == ("toy/3", "toy", "question 3")
    assert (stored.options, stored.gold, stored.kind) == (("yes", "no"), "B", Kind.MULTIPLE_CHOICE)
    assert (stored.category, stored.cluster, stored.prompt) == ("odd", "video 1", "question 3")
    [kept] = stored.media
    assert kept == StoredMedia(path="toy/v.mp4", kind=MediaKind.VIDEO, start=1.5, end=4.0)
    assert kept.media(tmp_path / "data") == media
    assert samples.lacking is None


def test_the_questions_are_there_before_the_first_answer_and_written_once(tmp_path):
    """A run that is killed at its first answer can be read; a resumed run leaves the file alone."""
    plan, seen = _plan(*map(sample, range(4))), []

    def answer(request):
        seen.append((tmp_path / "run" / SAMPLES).stat().st_ino)
        assert len(read_samples(tmp_path / "run")) == 4
        return "<answer>A</answer>" if len(seen) < 3 else 1 / 0

    engine = ResolvedEngine(
        backend="fake", checkpoint="x", identity={"kind": "fake"}, patch_multiple=28,
        build=lambda: FakeBackend(answer),
    )  # fmt: skip
    for _ in range(2):
        evaluate_plan(
            plan, engine, tmp_path / "run", manifest=_manifest(plan),
            decoding=harness.DecodeConfig(workers=1), observer=RunObserver(),
        )  # fmt: skip
    assert len(seen) == 6
    assert len(set(seen)) == 1


@pytest.mark.parametrize("cut", [1, 30, 200, 400])
def test_a_half_written_file_is_read_as_far_as_it_goes_and_mended(tmp_path, cut):
    """A copy that was cut says how much it lacks; the next run of the command writes it again."""
    plan = _plan(*map(sample, range(4)))
    whole = _keep(tmp_path, plan)
    path = tmp_path / SAMPLES
    content = path.read_bytes()
    path.write_bytes(content[:-cut])
    cut_off = read_samples(tmp_path)
    assert len(cut_off) == content[:-cut].count(b"\n")
    assert f"{len(cut_off)} of 4 questions" in cut_off.lacking
    assert _keep(tmp_path, plan) == whole
    assert path.read_bytes() == content


@pytest.mark.parametrize("damage", [b"{", b'{"id": 3}\n', b"\x00\n", b'"text"\n', b"\xff\xfe\n"])
def test_a_damaged_line_is_named_to_readers_and_mended_by_the_run(tmp_path, damage):
    """What no kill can cause is an error with its place until the run itself mends it."""
    plan = _plan(*map(sample, range(4)))
    whole = _keep(tmp_path, plan)
    path = tmp_path / SAMPLES
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], damage, *lines[2:]]))
    with pytest.raises(DatasetError, match=r"samples\.jsonl, line 2"):
        read_samples(tmp_path)
    assert _keep(tmp_path, plan) == whole


def test_a_question_twice_is_named(tmp_path):
    """Whoever reads would not know which of both was asked."""
    _keep(tmp_path, _plan(*map(sample, range(2))))
    path = tmp_path / SAMPLES
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(DatasetError, match=r"line 3: field 'id': 'toy/0' is there twice"):
        read_samples(tmp_path)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"question": "another"}, "question"), ({"options": ("no", "yes")}, "options"),
        ({"answer": "B"}, "gold"), ({"cluster": "v"}, "cluster"),
        ({"media": (Media(path=Path("/data/other.mp4")),)}, "media"),
    ],
)  # fmt: skip
def test_another_question_of_the_same_id_is_refused(tmp_path, change, field):
    """Answers to two different questions are never in one run; the field is named."""
    _keep(tmp_path, _plan(sample(0), sample(1)), data_root="/data")
    other = _plan(sample(0), replace(sample(1), **change))
    with pytest.raises(RunMismatchError, match=rf"'toy/(0|1)': another question .*: {field}: "):
        keep_samples(tmp_path, other, _manifest(other, data_root="/data"))


def test_a_question_that_is_not_asked_is_refused(tmp_path):
    """Its record would belong to nothing."""
    _keep(tmp_path, _plan(sample(0), sample(1)))
    with pytest.raises(RunMismatchError, match="'toy/1' is not a question of this evaluation"):
        keep_samples(tmp_path, _plan(sample(0)), _manifest(_plan(sample(0))))


def test_data_may_move_between_two_starts_of_a_run(tmp_path):
    """Media are stored relative to the data root, so that another root is the same question."""
    for name in ("here", "there"):
        root = tmp_path / name
        plan = _plan(sample(0, (Media(path=root / "toy" / "v.mp4"),)))
        stored = _keep(tmp_path / "run", plan, data_root=str(root))
        assert stored["toy/0"].media[0].path == "toy/v.mp4"


def test_media_behind_a_link_are_relative_to_the_root(tmp_path):
    """A benchmark may resolve its paths, while the root is given as a link."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    plan = _plan(sample(0, (Media(path=tmp_path / "real" / "v.mp4"),)))
    stored = _keep(tmp_path / "run", plan, data_root=str(tmp_path / "link"))
    assert stored["toy/0"].media[0].path == "v.mp4"


def test_media_outside_the_root_keep_their_absolute_paths(tmp_path):
    """Such as the pictures that a bridge writes into a temporary folder, which may move."""
    for name in ("a", "b"):
        plan = _plan(sample(0, (Media(path=tmp_path / name / "v.png", kind=MediaKind.IMAGE),)))
        stored = _keep(tmp_path / "run", plan)
    [media] = stored["toy/0"].media
    assert media.media(None).path == tmp_path / "a" / "v.png"


@pytest.mark.parametrize(
    "text", [HOSTILE, "</script>\u2028\u2029", "a\x00b", "x" * 1_000_000, "😀"]
)
def test_hostile_texts_come_back_as_they_were(tmp_path, text):
    """In every field; a line of the file stays one line."""
    asked = replace(
        sample(0, (Media(path=Path("/data") / "v.mp4"),)), id=text, question=text, answer=text,
        category=text, cluster=text, options=(text, text),
    )  # fmt: skip
    stored = _keep(tmp_path, _plan(asked), data_root="/data")[text]
    assert (stored.question, stored.gold, stored.category) == (text, text, text)
    assert (stored.options, stored.prompt) == ((text, text), text)
    assert len((tmp_path / SAMPLES).read_bytes().splitlines()) == 1


def test_a_file_name_that_is_not_utf8_is_found_again(tmp_path):
    """Its bytes are kept beside the name that can be shown."""
    path = Path(os.fsdecode(bytes(tmp_path) + b"/clip\xff\xfe.mp4"))
    stored = _keep(tmp_path / "run", _plan(sample(0, (Media(path=path),))), data_root=str(tmp_path))
    [media] = stored["toy/0"].media
    assert media.path == "clip\ufffd\ufffd.mp4"
    assert media.media(tmp_path).path == path


@pytest.mark.parametrize(
    "change", [{"path": "../../secret.mp4"}, {"path_bytes": "zz"}, {"path_bytes": b"../x".hex()}]
)
def test_a_path_that_leaves_the_data_root_is_refused(tmp_path, change):
    """A run that somebody sent must not make a page show other files of this machine."""
    _keep(tmp_path, _plan(sample(0, (Media(path=Path("/data/v.mp4")),))), data_root="/data")
    row = json.loads((tmp_path / SAMPLES).read_text())
    row["media"][0] |= change
    (tmp_path / SAMPLES).write_text(json.dumps(row) + "\n")
    with pytest.raises(DatasetError, match=r"line 1: field 'media\.path"):
        read_samples(tmp_path)


class _Broken(ToyTask):
    def prompt(self, sample, template):
        if sample.id == "toy/1":
            raise KeyError("no template")
        return Prompt(text="T", system="S", prefill="<think>", before=("one", "two"))


def test_a_prompt_that_cannot_be_built_is_stored_as_none(tmp_path):
    """The question is there all the same; the others have every part of their prompt."""
    plan = _plan(sample(0), sample(1))
    plan = Plan((replace(plan.tasks[0], task=_Broken()),))
    stored = _keep(tmp_path, plan)
    assert stored["toy/1"].prompt is None
    one = stored["toy/0"]
    assert (one.prompt, one.system, one.prefill) == ("T", "S", "<think>")
    assert one.before == ("one", "two")


def test_a_run_of_before_says_what_it_lacks():
    """No question is no error: boards and gates read such runs as ever."""
    samples = read_samples(ROOT / "tests/fixtures/run_schema_1")
    assert samples == {}
    assert "has no samples.jsonl: it was made before questions were kept" in samples.lacking


def test_eval_and_score_keep_their_questions(tmp_path, capsys):
    """Both write the file; a run of before gets it when its command runs again."""
    data, run = tmp_path / "data", tmp_path / "run"
    write_mvbench(data / "mvbench")
    command = [
        "eval", "m", "--backend", "fake", "--data", str(data), "--tasks", "mvbench", "--limit", "6",
        "--max-frames", "4", "--max-pixels", "18816", "--workers", "1", "--out", str(run),
    ]  # fmt: skip
    assert main(command) == 0
    samples = read_samples(run)
    assert set(samples) == {record.id for record in read_records(run)}
    assert all((data / one.media[0].path).exists() for one in samples.values())
    assert all(one.question in one.prompt for one in samples.values())
    (run / SAMPLES).unlink()
    assert main(command) == 0
    assert read_samples(run) == samples

    lines = [json.dumps({"id": name, "text": "A"}) + "\n" for name in samples]
    (tmp_path / "r.jsonl").write_text("".join(lines))
    scored = ["score", "--responses", str(tmp_path / "r.jsonl"), "--task", "mvbench"]
    main([*scored, "--data", str(data), "--out", str(tmp_path / "scored")])
    kept = read_samples(tmp_path / "scored")
    assert all(kept[name] == replace(one, prompt=None) for name, one in samples.items())
