"""What a run's end says: counted from its files, worked by hand."""

import json

import pytest

from trainer.runs.folder import COMPLETIONS, METRICS
from trainer.runs.learnt import read_learnt


def _write(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _group(*rewards, truncated=(), failure=None, accuracy=None):
    ordered = [
        {
            "reward": reward,
            "truncated": at in truncated,
            "rewards": {"accuracy": reward if accuracy is None else accuracy},
        }
        for at, reward in enumerate(rewards)
    ]
    return {"step": 1, "failure": failure, "ordered": ordered}


FAILED = _group(failure="damaged")


def _learnt(folder, groups, steps=2):
    _write(folder / METRICS, [{"step": step, "grad_norm": 1.0} for step in range(1, steps + 1)])
    _write(folder / COMPLETIONS, groups)
    return read_learnt(folder)


def test_groups_and_completions_are_counted(tmp_path):
    """One of four groups has spread; one of the six completions of sound groups is cut."""
    learnt = _learnt(tmp_path, [_group(1, 0), _group(0, 0, truncated=[1]), _group(1, 1), FAILED])
    assert str(learnt) == (
        "2 updates, 4 groups, 1 failed, 2 without spread, 16.7% of completions truncated"
    )
    assert learnt.nothing is None


@pytest.mark.parametrize(
    ("groups", "reason"),
    [
        ([FAILED, FAILED], "every group failed"),
        ([_group(1, 1), _group(2, 2)], "no group had two different rewards"),
        ([_group(0, 0), FAILED], "no answer was paid"),
        ([_group(0.1 + 0.2, 0.3)], "no group had two different rewards"),
        ([_group(1, 0, truncated=[0, 1])], "every completion was cut"),
    ],
)
def test_a_run_that_learnt_nothing_says_why(tmp_path, groups, reason):
    """Rewards that differ by a rounding error are one reward."""
    assert reason in _learnt(tmp_path, groups).nothing


def test_rows_of_supervised_training_are_counted(tmp_path):
    """Half of the rows of two updates, none of the third: a log has means since the last."""
    lines = [
        {"step": 2, "failed_rows": 1.0, "rows": 2.0, "grad_norm": 1.0},
        {"step": 3, "failed_rows": 0.0, "rows": 2.0, "grad_norm": 1.0},
    ]
    _write(tmp_path / METRICS, lines)
    learnt = read_learnt(tmp_path)
    assert str(learnt) == "3 updates, 33.3% of rows failed"
    assert learnt.nothing is None


def test_supervised_training_of_failed_rows_learnt_nothing(tmp_path):
    """Nor did one whose gradients were 0."""
    _write(tmp_path / METRICS, [{"step": 2, "failed_rows": 2.0, "rows": 2.0, "grad_norm": 0.0}])
    assert "every row failed" in read_learnt(tmp_path).nothing
    _write(tmp_path / METRICS, [{"step": 2, "failed_rows": 0.0, "rows": 2.0, "grad_norm": 0.0}])
    assert read_learnt(tmp_path).nothing == "every gradient was 0"


def test_an_older_run_counts_its_updates(tmp_path):
    """Its metrics have no number of rows."""
    _write(tmp_path / METRICS, [{"step": 2, "failed_rows": 2.0, "grad_norm": 1.0}])
    assert read_learnt(tmp_path).nothing is None
