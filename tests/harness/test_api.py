"""The public API: evaluate, load a run, and what a notebook shows."""

import dataclasses
import hashlib
import json
import shutil

import pandas as pd
import pytest

import harness
from harness import DecodeConfig, EngineConfig, EvalConfig, Outcome, UsageError
from harness.cli import main
from tests.paths import FIXTURES

FAKE = EvalConfig(
    engine=EngineConfig(backend="fake"),
    decode=DecodeConfig(workers=1),
    max_frames=4,
    max_pixels=18816,
    limit=12,
)


@pytest.fixture(scope="module")
def data(demo_data, tmp_path_factory):
    """The demo's four benchmark folders."""
    folder = tmp_path_factory.mktemp("demo") / "data"
    shutil.copytree(demo_data, folder)
    return folder


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """One evaluation of VSI-Bench by the library."""
    out = tmp_path_factory.mktemp("runs") / "mine"
    return harness.evaluate(
        "guesser", tasks=["vsibench"], data=data, protocol="official", out=out, config=FAKE,
        replicas=1, progress=False,
    )  # fmt: skip


def test_every_exported_name_can_be_imported():
    """`__all__` holds nothing that is not there."""
    assert all(getattr(harness, name) is not None for name in harness.__all__)
    assert harness.__version__


def test_evaluate_returns_scores_with_intervals_and_outcomes(run):
    """One `TaskSummary` per task."""
    [(name, summary)] = run.scores.items()
    assert (name, summary.n, summary.missing) == ("vsibench", 12, 0)
    assert summary.ci95[0] - 1e-9 <= summary.score <= summary.ci95[1]
    assert sum(summary.outcomes.values()) == 12
    assert run.timing.items == 12


def test_records_are_a_table_with_one_row_per_item_and_real_lists(run):
    """The same in memory and in ``records.parquet``."""
    frame = run.records()
    assert len(frame) == 12
    assert set(frame.columns) >= {"id", "task", "outcome", "value", "text", "frame_indices"}
    assert list(frame["frame_indices"][0][0]) == sorted(frame["frame_indices"][0][0])
    stored = pd.read_parquet(run.folder / "records.parquet")
    assert list(stored["id"]) == list(frame["id"])
    assert [list(map(list, clips)) for clips in stored["timestamps"]] == [
        list(map(list, clips)) for clips in frame["timestamps"]
    ]


def test_a_stored_run_is_loaded_without_data_or_engine(run, tmp_path):
    """Everything that `evaluate` returned is in the folder."""
    copy = shutil.copytree(run.folder, tmp_path / "copy")
    loaded = harness.load_run(copy)
    assert loaded.scores == run.scores
    assert loaded.manifest["model"] == "guesser"
    with pytest.raises(UsageError, match="not a run directory"):
        harness.load_run(tmp_path)


def test_runs_make_a_leaderboard_and_are_compared(run, tmp_path):
    """A run can be given wherever the path of its folder can."""
    copy = harness.load_run(shutil.copytree(run.folder, tmp_path / "copy"))
    frame = harness.leaderboard([run, copy]).to_frame()
    assert list(frame["vsibench score"]) == [run.scores["vsibench"].score] * 2
    judged = harness.compare(run, copy)
    assert judged.verdict in ("PASS", "INCONCLUSIVE")
    assert harness.compare(str(run.folder), copy.folder).verdict == judged.verdict


def test_the_same_call_resumes(run, data):
    """A finished run is a no-op."""
    before = (run.folder / "records-0.jsonl").read_bytes()
    again = harness.evaluate(
        "guesser", tasks=["vsibench"], data=data, protocol="official", out=run.folder,
        config=FAKE, progress=False,
    )  # fmt: skip
    assert again.scores == run.scores
    assert (run.folder / "records-0.jsonl").read_bytes() == before


def test_an_observer_is_told_of_every_item(data, tmp_path):
    """What shows progress is an object that a user may bring."""

    class Counter(harness.RunObserver):
        def __init__(self):
            self.seen = []

        def begin(self, folder, *, total, done):
            self.seen.append((total, done))

        def record(self, record):
            self.seen.append(record.id)

    counter = Counter()
    harness.evaluate(
        "guesser", tasks=["mvbench"], data=data, out=tmp_path / "run", config=FAKE, progress=counter
    )
    assert counter.seen[0] == (12, 0)
    assert len(set(counter.seen[1:])) == 12


def test_default_run_directories_hold_all_that_may_not_be_mixed(data, tmp_path, monkeypatch):
    """A smoke test with a limit, another config of a task and another backend stand apart."""
    monkeypatch.chdir(tmp_path)
    flags = ["--data", str(data), "--backend", "fake", "--max-frames", "4", "--workers", "1"]
    for extra in (["--tasks", "mvbench", "--limit", "3"], ["--tasks", "mvbench", "--limit", "4"],
                  ["--tasks", "mvbench:action_count"], ["--tasks", "mvbench"]):  # fmt: skip
        assert main(["eval", "guesser", *flags, *extra]) == 0
    names = sorted(path.name for path in (tmp_path / "results/runs").iterdir())
    assert len(names) == 4
    assert [name for name in names if "limit" in name] == [
        name for name in names if name.startswith("guesser-video-r1-ordered-limit")
    ]


def test_settings_come_from_a_file_and_flags_change_them(data, tmp_path):
    """``--config eval.toml`` has the names of the flags."""
    file = tmp_path / "eval.toml"
    file.write_text(
        f'tasks = ["mvbench"]\ndata = "{data}"\nmax_frames = 8\nlimit = 5\n'
        f'out = "{tmp_path / "run"}"\n[engine]\nbackend = "fake"\n[decode]\nworkers = 1\n'
    )
    assert main(["eval", "guesser", "--config", str(file), "--max-frames", "4"]) == 0
    manifest = json.loads((tmp_path / "run" / "run.json").read_text())
    assert manifest["protocol"]["mvbench"]["frames"]["max_frames"] == 4
    assert manifest["data"]["mvbench"]["items"] == 5
    file.write_text("max_frame = 8\n")
    assert main(["eval", "guesser", "--config", str(file)]) == 2


CHANGED_TASKS = ("mvbench", "videommmu")
"""Tasks of version 2: their questions under `video-r1` have changed since the first edition."""
OLD = ["--limit", "24", "--max-frames", "8", "--max-pixels", "3136", "--backend", "fake"]


def test_a_run_whose_questions_have_changed_since_is_not_resumed(data, tmp_path, capsys):
    """VideoMMMU is version 2 now: old and new answers are not mixed, and the run stays as it is."""
    out = shutil.copytree(FIXTURES / "run_schema_1", tmp_path / "run")
    assert main(["eval", "guesser", "--data", str(data), "--out", str(out), *OLD]) == 2
    assert "'videommmu@1' != 'videommmu@2'" in " ".join(capsys.readouterr().err.split())
    assert (out / "records-0.jsonl").read_bytes() == (
        FIXTURES / "run_schema_1" / "records-0.jsonl"
    ).read_bytes()


def _as_of_this_version(out):
    """Give the manifest of an old run the present versions of its tasks."""
    manifest = json.loads((out / "run.json").read_text())
    for name in CHANGED_TASKS:
        stored = manifest["protocol"][name]
        stored["task"] = f"{name}@2"
        fields = {field: value for field, value in stored.items() if field != "hash"}
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        stored["hash"] = hashlib.sha256(text.encode()).hexdigest()[:12]
    (out / "run.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("kept", [96, 40, 0])
def test_a_run_of_the_code_before_the_rooms_resumes(data, tmp_path, kept):
    """Protocol, data and identity are the same: what is missing is asked, the scores are equal.

    The drawn questions of VideoMMMU and MVBench are the same in their version 2.
    """
    out = shutil.copytree(FIXTURES / "run_schema_1", tmp_path / "run")
    _as_of_this_version(out)
    lines = (out / "records-0.jsonl").read_text().splitlines(keepends=True)
    torn = lines[kept][:50] if kept < len(lines) else ""
    (out / "records-0.jsonl").write_text("".join(lines[:kept]) + torn)
    before = json.loads((out / "summary.json").read_text())["tasks"]
    for summary in before.values():
        summary["outcomes"]["refused"] = 0  # an outcome that is newer than the run
    assert main(["eval", "guesser", "--data", str(data), "--out", str(out), *OLD]) == 0
    after = json.loads((out / "summary.json").read_text())["tasks"]
    for name, summary in after.items():
        low, high = summary.pop("ci95")  # wider where videos have unequal numbers of questions
        old_low, old_high = before[name].pop("ci95")
        assert low <= old_low + 1e-9
        assert high >= old_high - 1e-9
        for part in summary["breakdown"].values():  # categories got intervals later
            assert part.pop("ci95_low") <= part["score"] <= part.pop("ci95_high")
    for name in CHANGED_TASKS:
        after[name].pop("protocol_hash")
        before[name].pop("protocol_hash")
    assert after == before
    now = (out / "records-0.jsonl").read_text().splitlines(keepends=True)
    assert now[:kept] == lines[:kept]
    assert len(now) == 96
    assert not any(
        row.outcome is Outcome.FAILED for row in harness.load_run(out).records().itertuples()
    )


NEW_ITEMS = {"task": "videommmu@1"}
"""`video-r1` asks the questions of Video-R1's own file; one version covers both presets."""
SPACED = {"task": "mvbench@1"}
"""`video-r1` asks 24 of MVBench's 4,000 questions with the white space of Video-R1's own file."""
INTERLEAVED = {"task": "longvideobench-subtitles@1"}
"""`official` shows the subtitles between the frames."""
ROUNDED = {"task": "charades-sta@1"}
"""The reference times are read as the tenths of a second that the annotators wrote."""
TRUNCATED = {"rule": "linspace"}
"""The publishers' samplers truncate; the rule has a name of its own, which frame caches see."""
PREFIXED = {"scorer": "official@1"}
"""MVBench's official rule puts the notebook's bracket in front of every response."""

INTENDED: dict[tuple[str, str], list[dict[str, str]]] = {
    ("videommmu", "video-r1"): [NEW_ITEMS],
    ("videommmu", "official"): [NEW_ITEMS, TRUNCATED],
    ("videommmu-question-only", "video-r1"): [{"task": "videommmu-question-only@1"}],
    ("videommmu-question-only", "official"): [{"task": "videommmu-question-only@1"}, TRUNCATED],
    ("vsibench", "official"): [TRUNCATED],
    ("mvbench", "video-r1"): [SPACED],
    ("mvbench", "official"): [SPACED, PREFIXED],
    ("longvideobench-subtitles", "video-r1"): [INTERLEAVED],
    ("longvideobench-subtitles", "official"): [INTERLEAVED],
    ("charades-sta", "video-r1"): [ROUNDED],
    ("charades-sta", "official"): [ROUNDED],
}
"""By task and preset, what a protocol had in the first edition where it has changed on purpose."""
INTENDED_TAGS = {"mvbench": {"official@2": "official@1", "official+answer@2": "official+answer@1"}}
"""By task, new tags of scorers with the old ones; the reason is `PREFIXED`."""

ADDED_TAGS = {"flexible@1"}
"""Tags of scorers that the first edition did not have."""


def _undo(protocol, changes):
    """Return a protocol as it was before the changes."""
    for change in changes:
        if "rule" in change:
            protocol = dataclasses.replace(
                protocol, frames=dataclasses.replace(protocol.frames, **change)
            )
        else:
            protocol = dataclasses.replace(protocol, **change)
    return protocol


def test_protocol_hashes_stay_as_they_were_published():
    """Every preset and scorer's tag of every task since it came, but for the changes above."""
    from harness.task import registry

    stored = json.loads((FIXTURES / "protocol_hashes.json").read_text())
    for name, known in stored.items():
        task = registry.get(name)
        for suite in ("video-r1", "official"):
            protocol, changes = task.protocol(suite), INTENDED.get((name, suite), [])
            assert (protocol.hash == known[suite]) == (not changes), f"{name}, {suite}"
            assert _undo(protocol, changes).hash == known[suite], f"{name}, {suite}"
        tags = INTENDED_TAGS.get(name, {})
        assert set(tags) <= {scorer.tag for scorer in task.scorers.values()}
        old = sorted(
            tags.get(scorer.tag, scorer.tag)
            for scorer in task.scorers.values()
            if scorer.tag not in ADDED_TAGS
        )
        assert old == known["scorers"]


def test_a_protocol_that_nothing_changes_has_the_hash_of_its_preset():
    """Through settings and through a file; MotionWorld's rate is a whole number, 2 and not 2.0."""
    from harness.run.protocol_files import find_protocol
    from harness.run.protocols import change, resolve_protocol
    from harness.task import registry

    for name in json.loads((FIXTURES / "protocol_hashes.json").read_text()):
        task = registry.get(name)
        for suite in ("video-r1", "official"):
            preset = task.protocol(suite)
            found, _ = resolve_protocol(task, find_protocol(suite), EvalConfig())
            assert found.hash == preset.hash, name
            fps = {"frames": {"fps": preset.frames.fps}}
            assert change(preset, fps, "a file").hash == preset.hash, name
            one = change(preset, {"frames": {"fps": 3}}, "a file")
            other = change(preset, {"frames": {"fps": 3.0}}, "a file")
            assert one.hash == other.hash != preset.hash, name
