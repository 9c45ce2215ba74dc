"""Share prompts among servers whose weights follow a training; a server that is lost is named.

Only servers that have confirmed the present weights are asked. What a lost one was asked goes to
the others; where none is left, the weights are given to the first one that answers again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from harness.errors import BackendError, CheckpointError
from trainer.serving.server import LOST, START_COMMAND, RolloutServer

_log = logging.getLogger(__name__)

_MOST_LOSSES = 3
"""Servers that may be lost with the same prompt, which then is the likely reason."""
_PAUSE_S = 1.0


class WeightedServer(Protocol):
    """What the pool needs of a server."""

    url: str

    def load_weights(self, folder: Path, *, alone: bool) -> None:
        """Replace the weights; `alone`: nobody is asking the server."""

    def close(self) -> None:
        """Close the connections."""


Result = TypeVar("Result")
Server = TypeVar("Server", bound=WeightedServer)


def connect(urls: Sequence[str], timeout_s: float) -> list[RolloutServer]:
    """Return the servers, once each has answered.

    Raises:
        CheckpointError: One does not answer within the time; names it.
    """
    deadline = time.monotonic() + timeout_s
    return [_connect(url, deadline) for url in urls]


def _connect(url: str, deadline: float) -> RolloutServer:
    while True:
        try:
            return RolloutServer(url)
        except CheckpointError as error:
            if time.monotonic() >= deadline:
                raise CheckpointError(
                    f"rollout.servers: {error}; a server is started with `{START_COMMAND}`"
                ) from None
            time.sleep(_PAUSE_S)


class ServerPool(Generic[Server]):
    """The servers of a run; safe for use by several threads.

    Args:
        servers: At least one.
        timeout_s: Seconds to wait where none answers.
    """

    def __init__(self, servers: Sequence[Server], timeout_s: float) -> None:
        self._servers = tuple(servers)
        self._timeout_s = timeout_s
        self._weights: Path | None = None
        self._ready: dict[Server, Path] = {}
        """The weights that a server has confirmed."""
        self._errors: dict[Server, Exception] = {}
        """What lost servers said last."""
        self._loads: Counter[Server] = Counter()
        self._lock = threading.Lock()
        self._reviving = threading.Lock()

    def load(self, folder: Path) -> None:
        """Give all servers new weights; those that do not answer are left out until the next ones.

        Raises:
            BackendError: None takes them within the time, or one refuses them.
        """
        with self._lock:
            self._weights = folder
        self._load_where_possible(alone=True)
        self._choose(0)

    def assume(self, folder: Path, urls: Collection[str]) -> None:
        """Take from another process that these servers have the weights of `folder`."""
        with self._lock:
            self._weights = folder
            self._ready = {one: folder for one in self._servers if one.url in urls}

    def ready(self) -> list[str]:
        """Return the addresses of the servers that have the present weights."""
        with self._lock:
            return [one.url for one in self._servers if self._has_weights(one)]

    def ask(self, number: int, question: Callable[[Server], Result]) -> Result:
        """Return what a server answers; where it is lost, another one is asked.

        Args:
            number: Number of the prompt; equal numbers go to the same server while all are ready.
            question: Asks a server.

        Raises:
            BackendError: No server answers within the time, or three were lost with this prompt.
        """
        losses = 0
        while True:
            server = self._choose(number)
            loads = self._loads[server]
            try:
                return question(server)
            except LOST as error:
                losses += 1
                if loads == self._loads[server]:  # else it was lost before, and is back
                    self._lose(server, error)
                if losses >= _MOST_LOSSES:
                    raise BackendError(
                        f"{losses} servers were lost with one prompt, at last {server.url}: {error}"
                    ) from error

    def close(self) -> None:
        """Close the connections."""
        for server in self._servers:
            server.close()

    def _has_weights(self, server: Server) -> bool:
        return self._weights is not None and self._ready.get(server) == self._weights

    def _choose(self, number: int) -> Server:
        """Return a server that has the weights; wait for one where there is none."""
        deadline = time.monotonic() + self._timeout_s
        while True:
            with self._lock:
                ready = [one for one in self._servers if self._has_weights(one)]
            if ready:
                return ready[number % len(ready)]
            if time.monotonic() >= deadline:
                raise BackendError(self._describe_loss())
            with self._reviving:
                if not self.ready():
                    time.sleep(_PAUSE_S)
                    self._load_where_possible(alone=False)

    def _load_where_possible(self, *, alone: bool) -> None:
        folder = self._weights
        assert folder is not None
        with ThreadPoolExecutor(len(self._servers)) as threads:
            list(threads.map(lambda server: self._load_one(server, folder, alone), self._servers))

    def _load_one(self, server: Server, folder: Path, alone: bool) -> None:
        try:
            server.load_weights(folder, alone=alone)
        except LOST as error:
            self._lose(server, error)
            return
        with self._lock:
            self._ready[server] = folder
            self._loads[server] += 1
            came_back = self._errors.pop(server, None) is not None
        if came_back:
            _log.warning("the rollout server %s is back and has the present weights", server.url)

    def _lose(self, server: Server, error: Exception) -> None:
        with self._lock:
            self._ready.pop(server, None)
            known = server in self._errors
            self._errors[server] = error
            left = [one.url for one in self._servers if self._has_weights(one)]
        if not known:
            _log.warning(
                "the rollout server %s is lost: %s; its prompts go to %s",
                server.url,
                error,
                ", ".join(left) or "the first server that answers again",
            )

    def _describe_loss(self) -> str:
        with self._lock:
            lost = "; ".join(f"{one.url}: {error}" for one, error in self._errors.items())
        return (
            f"no rollout server has answered for {self._timeout_s:g} s ({lost}); start them with"
            f" `{START_COMMAND}`, and run the same command again: it goes on from the newest"
            " checkpoint"
        )
