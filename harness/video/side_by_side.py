"""Runs several iterators at once, each in a thread of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")
_HELD = 2
"""Items that may wait for the caller; frames at source size are large."""
_PATIENCE_S = 0.1


class _End:
    """Is put in the queue when an iterator has ended."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def run_side_by_side(iterators: Sequence[Iterator[T]]) -> Iterator[T]:
    """Yield the items of all iterators as they come; one iterator runs in the caller's thread.

    Raises:
        BaseException: The first error that an iterator raised; the others are then stopped.
    """
    if len(iterators) == 1:
        yield from iterators[0]
        return
    queue: Queue[T | _End] = Queue(_HELD)
    stopped = Event()
    with ExitStack() as stack:
        for iterator in iterators:
            thread = Thread(target=_fill, args=(iterator, queue, stopped), daemon=True)
            thread.start()
            stack.callback(thread.join)
        stack.callback(stopped.set)  # before the threads are waited for
        ended = 0
        while ended < len(iterators):
            item = queue.get()
            if not isinstance(item, _End):
                yield item
            elif item.error is not None:
                raise item.error
            else:
                ended += 1


def _fill(iterator: Iterator[T], queue: Queue[T | _End], stopped: Event) -> None:
    error: BaseException | None = None
    try:
        for item in iterator:
            if not _put(queue, item, stopped):
                return
    except BaseException as raised:  # noqa: BLE001 - raised again by the caller
        error = raised
    _put(queue, _End(error), stopped)


def _put(queue: Queue[T | _End], item: T | _End, stopped: Event) -> bool:
    """Put an item as soon as there is room; return False if nobody waits for it any more."""
    while not stopped.is_set():
        try:
            queue.put(item, timeout=_PATIENCE_S)
        except Full:
            continue
        return True
    return False
