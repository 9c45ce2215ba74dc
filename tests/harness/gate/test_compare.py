"""Comparing two runs from Python: what may stand on either side, and which policy applies."""

import pytest

from harness.cli import main
from harness.errors import IncompleteRunError, RunMismatchError, UsageError
from harness.gate.baseline import freeze, write_baseline
from harness.gate.compare import compare_runs
from harness.gate.policy import Policy
from harness.gate.result import Verdict
from tests.runs import make_manifest, make_records, write_run

GOOD = [1.0, 1.0, 0.0, 1.0] * 150
BAD = [0.0, 1.0, 0.0, 0.0] * 150


@pytest.fixture
def folder(tmp_path):
    """Write a run directory of some values."""

    def write(name, values, **manifest):
        asked = make_manifest({"vsibench": values}, **manifest)
        return write_run(tmp_path / name, asked, make_records({"vsibench": values}))

    return write


@pytest.fixture
def baseline(tmp_path):
    """A baseline file of the good run that locks a margin of one point."""
    values = {"vsibench": GOOD}
    frozen = freeze(make_manifest(values), make_records(values), Policy(margin=1.0))
    write_baseline(tmp_path / "baseline.parquet", frozen)
    return tmp_path / "baseline.parquet"


def test_a_file_and_a_run_directory_give_the_same_comparison(folder, baseline):
    """The run directory is frozen in memory: same lines, same flips."""
    before, after = folder("before", GOOD), folder("after", BAD, model="other")
    ours = compare_runs(before, after, Policy(margin=1.0))
    assert ours == compare_runs(baseline, after)
    assert ours.verdict is Verdict.REGRESSION


def test_paths_may_be_texts(folder, baseline):
    """What a notebook has at hand is accepted."""
    assert compare_runs(str(baseline), str(folder("after", GOOD))).verdict is Verdict.PASS


def test_a_policy_file_is_read(folder, tmp_path):
    """A drop of half of the items passes a margin of 60 points."""
    (tmp_path / "p.toml").write_text("margin = 60")
    result = compare_runs(folder("a", GOOD), folder("b", BAD), tmp_path / "p.toml")
    assert result.verdict is Verdict.PASS


def test_a_looser_policy_than_the_locked_one_needs_a_word(folder, baseline):
    """The lock of a baseline file holds in Python as on the command line."""
    after = folder("after", GOOD)
    with pytest.raises(UsageError, match="vsibench margin: 9, locked 1"):
        compare_runs(baseline, after, Policy(margin=9.0))
    assert compare_runs(baseline, after, Policy(margin=9.0), unlock=True).verdict is Verdict.PASS


def test_an_incomplete_run_is_nothing_to_compare_with(folder):
    """Its gaps are named with what completes it."""
    before = folder("before", GOOD)
    records = before / "records-0.jsonl"
    records.write_text("\n".join(records.read_text().split("\n")[:-2]) + "\n")
    with pytest.raises(IncompleteRunError, match="1 of 600 items have no record"):
        compare_runs(before, folder("after", GOOD))
    assert main(["gate", str(before), str(folder("again", GOOD))]) == 4


def test_runs_of_another_protocol_are_not_compared(folder):
    """The differing field is named."""
    with pytest.raises(RunMismatchError, match="16 != 32"):
        compare_runs(folder("before", GOOD), folder("after", GOOD, frames=32))


def test_the_command_takes_two_run_directories(folder, capsys):
    """No baseline has to be frozen to look at two runs."""
    assert main(["gate", str(folder("before", GOOD)), str(folder("after", BAD))]) == 1
    assert "regression" in capsys.readouterr().err
