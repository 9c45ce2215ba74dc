"""Scoring and writing beside the engine: in order, complete, and never silently broken."""

from __future__ import annotations

import threading
import time

import pytest

from harness.run.recorder import Recorder


def test_jobs_are_done_in_order_and_all_before_leaving():
    """Leaving waits for what was handed over, however slow."""
    done = []
    with Recorder() as recorder:
        for number in range(5):
            recorder.put(lambda number=number: (time.sleep(0.01), done.append(number)))
    assert done == [0, 1, 2, 3, 4]


def test_whoever_hands_over_does_not_wait():
    """A slow disk holds up the recorder alone."""
    release = threading.Event()
    with Recorder() as recorder:
        recorder.put(release.wait)
        recorder.put(lambda: None)  # returns although the first job is not done
        release.set()


def test_an_interrupted_run_keeps_what_was_handed_over():
    """Ctrl-C in the engine's thread does not lose finished items."""
    done = []

    def interrupted() -> None:
        with Recorder() as recorder:
            recorder.put(lambda: (time.sleep(0.05), done.append("kept")))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert done == ["kept"]


def test_an_error_ends_the_work_and_is_raised_on_leaving():
    """A full disk is reported; what comes after it is not pretended to be done."""
    done = []

    def full_disk() -> None:
        raise OSError("the disk is full")

    def record() -> None:
        with Recorder() as recorder:
            recorder.put(full_disk)
            recorder.put(lambda: done.append("lost"))

    with pytest.raises(OSError, match="the disk is full"):
        record()
    assert done == []


def test_an_error_is_raised_by_the_next_put():
    """A run stops soon, instead of answering what cannot be written."""

    def full_disk() -> None:
        raise OSError("the disk is full")

    def record() -> None:
        with Recorder() as recorder:
            recorder.put(full_disk)
            for _ in range(1000):
                time.sleep(0.001)
                recorder.put(lambda: None)
            raise AssertionError("never told")

    with pytest.raises(OSError, match="the disk is full"):
        record()
