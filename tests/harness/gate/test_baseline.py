"""Frozen runs: what they keep, how small they are, and what cannot be frozen."""

from dataclasses import replace

import pytest

from harness.cli import main
from harness.errors import UsageError
from harness.gate.baseline import (
    MAX_TEXT,
    freeze,
    read_baseline,
    write_baseline,
)
from harness.gate.policy import (
    Policy,
    Rule,
)
from harness.schema import Outcome
from tests.runs import make_manifest, make_records, write_run

VALUES = {"vsibench": [1.0, 0.0, 0.5, 1.0]}


def _freeze(records, policy=None):
    return freeze(make_manifest(VALUES), records, policy)


def test_a_baseline_comes_back_as_it_was_written(tmp_path):
    """Items, protocol, data, checkpoint and policy survive the file."""
    policy = Policy(margin=1.5, tasks={"vsibench": Rule(margin=1.0)})
    baseline = _freeze(make_records(VALUES), policy)
    write_baseline(tmp_path / "deep" / "b.parquet", baseline)
    assert read_baseline(tmp_path / "deep" / "b.parquet") == baseline
    assert [item.value for item in baseline.items] == VALUES["vsibench"]


def test_items_carry_their_place_in_the_tree_of_means(tmp_path):
    """VSI-Bench's three direction types share one of eight places; no plugin is needed later."""
    records = [replace(r, category="object_rel_direction_easy") for r in make_records(VALUES)]
    baseline = _freeze(records)
    assert {item.path for item in baseline.items} == {
        ("object_rel_direction", "object_rel_direction_easy")
    }
    assert baseline.aggregation == {"vsibench": "macro8"}


def test_a_judge_does_not_change_the_tree():
    """Records of the official scorer helped by a judge freeze like its own."""
    records = [replace(r, scorer="official+judge:some/model@1") for r in make_records(VALUES)]
    assert _freeze(records).aggregation == {"vsibench": "macro8"}


def test_a_scorer_that_is_not_installed_is_named():
    """Without its tree of means a score cannot be compared."""
    records = [replace(r, scorer="mine@3") for r in make_records(VALUES)]
    with pytest.raises(UsageError, match=r"'mine@3', which is not installed; .*: official"):
        _freeze(records)


def test_sixteen_thousand_items_stay_a_few_hundred_kilobytes(tmp_path):
    """Long reasoning is cut, columns are compressed."""
    values = {"vsibench": [float(n % 3 > 0) for n in range(16_000)]}
    records = [
        replace(r, text=f"<think>step {n * 7919 % 1000} of {n}</think>" + "because " * 200)
        for n, r in enumerate(make_records(values, per_video=18))
    ]
    baseline = freeze(make_manifest(values), records, None)
    assert max(len(item.text) for item in baseline.items) == MAX_TEXT
    write_baseline(tmp_path / "b.parquet", baseline)
    assert (tmp_path / "b.parquet").stat().st_size < 400_000


def test_the_command_freezes_a_complete_run(tmp_path, capsys):
    """It says how many items lie where and that the policy is locked."""
    run = write_run(tmp_path / "run", make_manifest(VALUES), make_records(VALUES))
    (tmp_path / "p.toml").write_text("margin = 1")
    out = tmp_path / "b.parquet"
    assert main(["baseline", str(run), "-o", str(out), "--policy", str(tmp_path / "p.toml")]) == 0
    assert "4 items" in (printed := capsys.readouterr().err)
    assert "policy locked" in printed
    assert read_baseline(out).policy == Policy(margin=1.0)


@pytest.mark.parametrize("damage", ["missing", "failed"])
def test_an_incomplete_run_is_no_baseline(tmp_path, capsys, damage):
    """Missing or failed items exit 4 and write nothing."""
    records = make_records(VALUES)
    last = records.pop()
    if damage == "failed":
        records.append(replace(last, outcome=Outcome.FAILED, value=None))
    run = write_run(tmp_path / "run", make_manifest(VALUES), records)
    assert main(["baseline", str(run), "-o", str(tmp_path / "b.parquet")]) == 4
    said = {"missing": "1 of 4 items have no record", "failed": "1 items failed"}[damage]
    assert said in capsys.readouterr().err
    assert not (tmp_path / "b.parquet").exists()


def test_an_empty_run_is_no_baseline(tmp_path, capsys):
    """Nothing can be frozen from nothing."""
    run = write_run(tmp_path / "run", make_manifest(VALUES), [])
    assert main(["baseline", str(run), "-o", str(tmp_path / "b.parquet")]) == 2
    assert "the run has no records" in capsys.readouterr().err


def test_a_policy_for_another_task_cannot_be_locked(tmp_path, capsys):
    """The lock would hold nothing."""
    run = write_run(tmp_path / "run", make_manifest(VALUES), make_records(VALUES))
    (tmp_path / "p.toml").write_text("[tasks.mvbench]\nmargin = 1")
    flags = ["-o", str(tmp_path / "b.parquet"), "--policy", str(tmp_path / "p.toml")]
    assert main(["baseline", str(run), *flags]) == 2
    assert "'mvbench', which the baseline does not have" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, b"", b"PAR1 nothing"])
def test_what_is_no_baseline_is_named(tmp_path, content):
    """A missing, an empty and a damaged file say how to make a baseline."""
    path = tmp_path / "b.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"b\.parquet: not a baseline .*videor1 baseline RUNDIR"):
        read_baseline(path)


def test_another_parquet_file_is_no_baseline(tmp_path):
    """A run's own ``records.parquet`` lacks what a comparison needs."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "records.parquet")
    with pytest.raises(UsageError, match="not a baseline"):
        read_baseline(tmp_path / "records.parquet")
