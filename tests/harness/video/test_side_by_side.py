"""Iterators that run at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from harness.video.side_by_side import run_side_by_side


def count(stop: int, seen: set[int]) -> Iterator[int]:
    for number in range(stop):
        seen.add(threading.get_ident())
        yield number


def test_all_items_arrive_once() -> None:
    """Every item of every iterator is yielded once; each iterator has a thread of its own."""
    threads: list[set[int]] = [set(), set(), set()]
    found = list(run_side_by_side([count(50, seen) for seen in threads]))
    assert sorted(found) == sorted([*range(50)] * 3)
    assert len(set.union(*threads)) == 3


def test_one_iterator_needs_no_thread() -> None:
    """A single iterator runs where it is called."""
    seen: set[int] = set()
    assert list(run_side_by_side([count(3, seen)])) == [0, 1, 2]
    assert seen == {threading.get_ident()}


def test_an_error_is_raised_and_stops_the_others() -> None:
    """The error of one iterator reaches the caller; no thread is left."""
    before = set(threading.enumerate())

    def fail() -> Iterator[int]:
        yield 1
        raise OSError("disk")

    endless = iter(int, 1)
    with pytest.raises(OSError, match="disk"):
        list(run_side_by_side([fail(), endless]))
    assert set(threading.enumerate()) <= before


def test_a_caller_who_stops_leaves_no_thread() -> None:
    """Closing the iterator ends the threads, even where they wait to hand over an item."""
    before = set(threading.enumerate())
    running = run_side_by_side([iter(int, 1), iter(int, 1)])
    assert next(running) == 0
    running.close()
    assert set(threading.enumerate()) <= before
