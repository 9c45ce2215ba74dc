"""Runs replicas as Ray actors, on this machine or over a cluster.

An actor is a process that Ray starts where its GPUs and processors are free; all GPUs of an actor
are on one node, so that tensor parallelism inside it needs no placement group: vLLM starts its
workers as processes of the actor. Only item ids travel to an actor and only events (records) come
back; frames stay where they are decoded. Actors are never restarted by Ray: the driver gives what a
lost one held to others.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from harness.errors import BackendError, UsageError, missing_extra
from harness.plugins import is_installed
from harness.replicas.address import require_listener
from harness.replicas.fleet import Event, Lost, Replica
from harness.replicas.guard import start_guard
from harness.replicas.room import Needs, Node

_OBJECT_STORE_BYTES = 100 << 20
"""Ray's own default is a third of the memory; only ids and records go through it."""
_IDLE_S = 0.1
_KILL_S = 5.0
"""How long closing waits for actors to be gone with their engines."""
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # else a notice, and a report to Ray's makers
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else a FutureWarning of ray.init
}
_CARRIED = ("VLLM_",)
_CARRIED_NAMES = frozenset({
    "GOMP_SPINCOUNT", "HF_HUB_OFFLINE", "OMP_NUM_THREADS", "TOKENIZERS_PARALLELISM",
    "TRANSFORMERS_OFFLINE",
})  # fmt: skip
"""Environment variables that engines read; every replica has those of the driver."""
_OF_A_NODE = ("VLLM_HOST_IP", "VLLM_PORT", "VLLM_CACHE_ROOT", "VLLM_CONFIG_ROOT", "VLLM_API_KEY")
"""Variables that may differ from node to node, or that others should not read."""


class RayCluster:
    """A connection to Ray; starts a cluster of this machine alone where no address is given.

    Args:
        address: ``host:port`` of a cluster, ``auto`` for the one of this machine; None: start one.

    Raises:
        UsageError: Ray is not installed, or it is no address.
        BackendError: The cluster cannot be reached or started.
    """

    def __init__(self, address: str | None) -> None:
        if not is_installed("ray"):
            raise missing_extra("ray", "cluster")
        if address:
            _check_address(address)
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        import ray

        _silence()
        own = {
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE_BYTES,
            "_node_ip_address": "127.0.0.1",
        }
        self.env = _carried_variables(os.environ)
        """Environment variables that actors get."""
        if not address:
            self.env["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        try:
            ray.init(
                address=address or "local",
                logging_level="ERROR",
                log_to_driver=False,
                **({} if address else own),
            )
        except (OSError, RuntimeError, ValueError) as error:  # Ray has no errors of its own here
            raise BackendError(
                f"Ray cannot be used at {address or 'this machine'}: {type(error).__name__}:"
                f" {error}"
            ) from None
        except SystemExit:  # of Ray's handler of SIGTERM, while it starts
            raise KeyboardInterrupt from None
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)  # Ray's own would end without keeping anything

    def nodes(self) -> list[Node]:
        """Return what each living node has."""
        import ray

        found = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        return [Node(gpus=int(one.get("GPU", 0)), cpus=int(one.get("CPU", 0))) for one in found]

    def close(self) -> None:
        """Disconnect; a cluster that was started here ends with all of its processes."""
        import ray

        ray.shutdown()


def _check_address(address: str) -> None:
    """Raise where Ray would try for minutes."""
    try:
        require_listener(address)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _silence() -> None:
    """Keep what Ray's own processes report off the terminal; its log files have it.

    ``log_to_driver=False`` leaves a thread that prints to standard output (Ray 2.60,
    ``listen_error_messages``). What is lost is told by the driver, with a reason.
    """
    from ray._private import worker

    worker.print_to_stdstream = _print_nothing


def _print_nothing(data: Mapping[str, Any], ignore_prefix: bool = False) -> None:
    """Take the place of Ray's function that prints."""


def _carried_variables(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if (name.startswith(_CARRIED) or name in _CARRIED_NAMES) and name not in _OF_A_NODE
    }


class RayFleet:
    """Replicas as actors of a cluster; closing ends the connection, too.

    Args:
        cluster: Where they run.
        build: Returns a replica; called in the actor's process.
        needs: What each takes.
    """

    def __init__(self, cluster: RayCluster, build: Callable[[], Replica], needs: Needs) -> None:
        self._cluster = cluster
        self._build = build
        self._needs = needs
        self._actors: dict[str, Any] = {}
        self._events: dict[str, Any] = {}

    def start(self, name: str) -> None:
        """Ask Ray for an actor; it starts when its GPUs and processors are free."""
        import ray

        options = {
            "num_gpus": self._needs.gpus,
            "num_cpus": self._needs.cpus,
            "max_restarts": 0,
            "max_task_retries": 0,
            "max_concurrency": 2,
            "scheduling_strategy": "SPREAD",
            "runtime_env": {"env_vars": self._cluster.env},
        }
        actor = ray.remote(_Actor).options(**options).remote(self._build)
        self._actors[name] = actor
        self._events[name] = actor.events.options(num_returns="streaming").remote()

    def can_replace(self) -> bool:
        """Return True: a new actor waits until there is room for it."""
        return True

    def call(self, name: str, method: str, *arguments: Any) -> None:
        """Send a call to an actor; if it is gone, its events say so."""
        if name in self._actors:
            self._actors[name].call.remote(method, *arguments)

    def wait(self, timeout_s: float) -> Sequence[tuple[str, Event]]:
        """Return the next event of every actor that has one."""
        import ray

        names = {stream: name for name, stream in self._events.items()}
        if not names:
            time.sleep(min(timeout_s, _IDLE_S))
            return []
        streams = list(names)
        ready, _ = ray.wait(streams, num_returns=1, timeout=timeout_s, fetch_local=False)
        if ready:
            ready, _ = ray.wait(streams, num_returns=len(streams), timeout=0, fetch_local=False)
        return [
            (names[stream], event)
            for stream in ready
            for event in self._next_events(names[stream], stream)
        ]

    def drop(self, name: str) -> None:
        """Kill an actor with its processes."""
        import ray

        self._events.pop(name, None)
        actor = self._actors.pop(name, None)
        if actor is not None:
            ray.kill(actor, no_restart=True)

    def close(self) -> None:
        """Kill all actors, wait until they are gone with their engines, and disconnect."""
        streams = list(self._events.values())
        for name in list(self._actors):
            self.drop(name)
        _wait_for_ends(streams)
        self._cluster.close()

    def _next_events(self, name: str, stream: Any) -> Sequence[Event]:
        import ray

        try:
            events: Sequence[Event] = ray.get(next(stream))
            return events
        except StopIteration:
            self._events.pop(name, None)
            return ()
        except ray.exceptions.RayTaskError as error:
            self._events.pop(name, None)
            cause = error.cause
            reason = f"{type(cause).__name__}: {cause}"
            return (Lost(reason=reason, error=cause if isinstance(cause, Exception) else None),)
        except ray.exceptions.RayError as error:
            self._events.pop(name, None)
            return (Lost(reason=_reason_of(error)),)


def _wait_for_ends(streams: Sequence[Any]) -> None:
    """Wait until actors that were killed are gone: Ray then ends what they have started."""
    import ray

    end = time.monotonic() + _KILL_S
    for stream in streams:
        with suppress(StopIteration, ray.exceptions.RayError):
            while time.monotonic() < end:
                ready, _ = ray.wait([stream], timeout=end - time.monotonic(), fetch_local=False)
                if ready:
                    ray.get(next(stream))


def _reason_of(error: Exception) -> str:
    """Return why an actor is gone: the last line of the error that its start raised, if one did.

    Ray tells a failed start and a killed process by the same class.
    """
    reason = f"its process or node is gone ({type(error).__name__})"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    started = not lines or "creation task" not in lines[0]
    return reason if started else f"its process cannot start: {lines[-1]}"


class _Actor:
    """The actor's process; `events` and `call` run on two threads."""

    def __init__(self, build: Callable[[], Replica]) -> None:
        start_guard()
        self._replica = build()

    def events(self) -> Iterator[Sequence[Event]]:
        """Yield what happens."""
        for event in self._replica.events():
            yield (event,)

    def call(self, method: str, *arguments: Any) -> None:
        """Call a method of the replica."""
        getattr(self._replica, method)(*arguments)
