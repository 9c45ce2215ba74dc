"""Whether a training is at work, as far as its folder shows."""

import os

import pytest

from harness.files import locked
from tests.trainer.fake_runs import begin_run, save
from trainer.watch.liveness import Pulse

PATIENCE_S = 100.0
LATER = 2**33
"""Seconds after anything that a test writes in passing."""


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def pulse(tmp_path):
    """That of a training in ``run``, felt at whatever time is asked for."""
    clock = Clock()
    felt = Pulse(tmp_path / "run", PATIENCE_S, clock)

    def is_gone(at):
        clock.now = at
        return felt.is_gone()

    is_gone.run = tmp_path / "run"
    return is_gone


def test_a_training_is_gone_once_its_folder_was_silent_for_long(pulse):
    """A crash of last week is no different: the training may be about to be started again."""
    begin_run(pulse.run)
    assert [pulse(at) for at in (0, 50, 99, 100)] == [False, False, False, True]


def test_a_training_that_has_not_begun_is_never_gone(pulse):
    """Nobody knows when it will, nor whether what saves checkpoints without a manifest runs."""
    assert not pulse(0)
    save(pulse.run, 10)
    assert [pulse(at) for at in (1, 1000, 2000)] == [False] * 3


def test_a_held_folder_is_a_training_at_work(pulse):
    """However little it writes; and from its end on it has as much time as any."""
    begin_run(pulse.run)
    with locked(pulse.run):
        assert [pulse(at) for at in (0, 1000, 2000)] == [False] * 3
    assert [pulse(at) for at in (2050, 2099, 2100)] == [False, False, True]


def test_a_training_that_comes_back_in_time_is_not_gone(pulse):
    """It is interrupted, started again, and interrupted once more."""
    begin_run(pulse.run)
    assert [pulse(at) for at in (0, 90)] == [False] * 2
    with locked(pulse.run):
        assert not pulse(95)
    assert [pulse(at) for at in (150, 194, 195)] == [False, False, True]


def test_what_is_written_is_a_sign_of_life_too(pulse):
    """A lock held on another machine, or on the one that a folder is copied from, is not seen."""
    begin_run(pulse.run)
    metrics = pulse.run / "metrics.jsonl"
    for at in (0, 90, 180):
        metrics.write_text("{}")
        os.utime(metrics, (LATER + at, LATER + at))  # two writes may share a tick of the clock
        assert not pulse(at)
    assert [pulse(at) for at in (279, 280)] == [False, True]
