"""A training counts as stalled when its folder shows no sign of life."""

import os

import pytest

from harness.files import locked
from tests.trainer.fake_runs import begin_run, save
from trainer.watch.liveness import Liveness

STALLED_AFTER_S = 100.0
LATER = 2**33
"""Seconds after anything that a test writes in passing."""


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def stalled(tmp_path):
    """Return a function that checks the training in ``run`` at a given time."""
    clock = Clock()
    liveness = Liveness(tmp_path / "run", STALLED_AFTER_S, clock)

    def check(at):
        clock.now = at
        return liveness.is_stalled()

    check.run = tmp_path / "run"
    return check


def test_a_training_is_stalled_once_its_folder_was_silent_for_long(stalled):
    """Also for a crash of last week: the training may be about to be started again."""
    begin_run(stalled.run)
    assert [stalled(at) for at in (0, 50, 99, 100)] == [False, False, False, True]


def test_a_training_that_has_not_begun_is_never_stalled(stalled):
    """Nor is one that saves checkpoints without a manifest: its state is unknown."""
    assert not stalled(0)
    save(stalled.run, 10)
    assert [stalled(at) for at in (1, 1000, 2000)] == [False] * 3


def test_a_locked_folder_is_a_training_at_work(stalled):
    """Even if it writes nothing; the time starts when it releases the lock."""
    begin_run(stalled.run)
    with locked(stalled.run):
        assert [stalled(at) for at in (0, 1000, 2000)] == [False] * 3
    assert [stalled(at) for at in (2050, 2099, 2100)] == [False, False, True]


def test_a_training_that_comes_back_in_time_is_not_stalled(stalled):
    """It is interrupted, started again, and interrupted once more."""
    begin_run(stalled.run)
    assert [stalled(at) for at in (0, 90)] == [False] * 2
    with locked(stalled.run):
        assert not stalled(95)
    assert [stalled(at) for at in (150, 194, 195)] == [False, False, True]


def test_what_is_written_is_a_sign_of_life_too(stalled):
    """A lock on another machine, or in the folder that this one is a copy of, is not visible."""
    begin_run(stalled.run)
    metrics = stalled.run / "metrics.jsonl"
    for at in (0, 90, 180):
        metrics.write_text("{}")
        os.utime(metrics, (LATER + at, LATER + at))  # two writes may share a tick of the clock
        assert not stalled(at)
    assert [stalled(at) for at in (279, 280)] == [False, True]
