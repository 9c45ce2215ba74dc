"""Runs replicas on threads of this process: one per server, whose engine is elsewhere anyway."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import Any

from harness.replicas.fleet import Event, Lost, Replica

_CLOSE_S = 5.0
"""How long closing waits for the threads of replicas; a request may keep one longer."""


class ThreadFleet:
    """Replicas on threads.

    Args:
        builders: For each name the function that builds its replica.
    """

    def __init__(self, builders: Mapping[str, Callable[[], Replica]]) -> None:
        self._builders = builders
        self._replicas: dict[str, Replica] = {}
        self._threads: list[threading.Thread] = []
        self._events: SimpleQueue[tuple[str, Event]] = SimpleQueue()

    def start(self, name: str) -> None:
        """Start a replica on a thread."""
        replica = self._replicas[name] = self._builders[name]()
        thread = threading.Thread(
            target=self._follow, args=(name, replica), name=f"replica {name}", daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def can_replace(self) -> bool:
        """Return False: a server that is gone has no second one."""
        return False

    def call(self, name: str, method: str, *arguments: Any) -> None:
        """Call a method of a replica."""
        if name in self._replicas:
            getattr(self._replicas[name], method)(*arguments)

    def wait(self, timeout_s: float) -> Sequence[tuple[str, Event]]:
        """Return what has happened since the last call."""
        found: list[tuple[str, Event]] = []
        try:
            found.append(self._events.get(timeout=timeout_s))
            while True:
                found.append(self._events.get_nowait())
        except Empty:
            return [(name, event) for name, event in found if name in self._replicas]

    def drop(self, name: str) -> None:
        """Stop a replica and forget it."""
        replica = self._replicas.pop(name, None)
        if replica is not None:
            replica.stop()

    def close(self) -> None:
        """Stop all replicas and wait a while for their threads."""
        for name in list(self._replicas):
            self.drop(name)
        for thread in self._threads:
            thread.join(_CLOSE_S / len(self._threads))

    def _follow(self, name: str, replica: Replica) -> None:
        try:
            for event in replica.events():
                self._events.put((name, event))
        except Exception as error:  # noqa: BLE001 - the driver decides
            reason = f"{type(error).__name__}: {error}"
            self._events.put((name, Lost(reason=reason, error=error)))
