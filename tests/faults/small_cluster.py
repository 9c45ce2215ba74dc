"""A Ray cluster of several nodes on this machine, its processes, and an engine with one of its own.

Everything that the cluster starts has a mark in its environment, by which it is found wherever it
hangs in the tree of processes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from harness.backends.engine_config import EngineConfig
from harness.backends.fake import FakeBackend, first_option
from harness.backends.select import ResolvedEngine
from harness.run.config import ClusterConfig, DecodeConfig, EvalConfig
from harness.run.evaluate import EvalJob, evaluate_plan, make_ray_squad, prepare, prepare_again
from harness.run.observer import RunObserver
from harness.run.plan import Plan
from harness.run.store import read_records
from harness.schema import Record, Request

MARK = "VIDEOR1_KILL_SUITE"
REPLICA = "ray::_Actor"
_STORE = 80 << 20
_ANSWER_S = 0.004


class SmallCluster:
    """A head without room for replicas, and nodes of one processor each; a context manager."""

    def __init__(self, nodes: int = 2) -> None:
        self.mark = os.environ[MARK] = uuid4().hex
        os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "object_store_memory": _STORE, "include_dashboard": False}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self._nodes: list[Any] = []
        self.have(nodes)
        self.address: str = self._cluster.address

    def __enter__(self) -> SmallCluster:
        return self

    def __exit__(self, *error: object) -> None:
        self._cluster.shutdown()
        del os.environ[MARK]

    def kill_node(self) -> list[int]:
        """Kill a node that runs a replica; return the processes that have to end with it.

        Returns nothing where there is no such node yet.
        """
        nodes = {node: _descendants(_raylet(node)) for node in self._nodes}
        used = [node for node, below in nodes.items() if any(map(_is_replica, below))]
        if not used:
            return []
        node = used[0]
        self._nodes.remove(node)
        self._cluster.remove_node(node, allow_graceful=False)
        return nodes[node]

    def have(self, nodes: int) -> None:
        """Add or remove nodes until there are so many."""
        while len(self._nodes) > nodes:
            self._cluster.remove_node(self._nodes.pop())
        while len(self._nodes) < nodes:
            self._nodes.append(self._cluster.add_node(num_cpus=1, object_store_memory=_STORE))
        self._cluster.wait_for_nodes()

    def replicas(self) -> list[int]:
        """Return the process ids of living replicas."""
        return [pid for pid in marked(self.mark) if _is_replica(pid)]

    def of_replicas(self) -> list[int]:
        """Return the process ids of living replicas and of what they have started."""
        replicas = self.replicas()
        return [*replicas, *(child for pid in replicas for child in _descendants(pid))]


def kill_with_children(pid: int) -> list[int]:
    """Kill a process; return those that have to end with it, itself included."""
    below = _descendants(pid)
    os.kill(pid, signal.SIGKILL)
    return [pid, *below]


def decode_workers(mark: str) -> list[int]:
    """Return the process ids of living decode workers."""
    return [pid for pid in marked(mark) if "harness.video.worker" in _command(pid)]


def marked(mark: str) -> list[int]:
    """Return the living processes that have a mark in their environment."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            ours = wanted in (entry / "environ").read_bytes()
        except OSError:
            continue
        if ours and is_alive(int(entry.name)):
            found.append(int(entry.name))
    return found


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that nobody has waited for does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def seconds_until_gone(pids: list[int], limit_s: float) -> float | None:
    """Wait until processes have ended; return the seconds, None where the limit is reached."""
    began = time.monotonic()
    while any(map(is_alive, pids)):
        if time.monotonic() > began + limit_s:
            return None
        time.sleep(0.05)
    return time.monotonic() - began


def _is_replica(pid: int) -> bool:
    return REPLICA in _command(pid)


def _command(pid: int) -> str:
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return line.replace(b"\0", b" ").decode(errors="replace")


def _raylet(node: Any) -> int:
    pid: int = node.all_processes["raylet"][0].process.pid
    return pid


def _descendants(pid: int) -> list[int]:
    listing = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True).stdout
    parents = {int(child): int(parent) for child, parent in map(str.split, listing.splitlines())}
    found, fresh = [], [pid]
    while fresh:
        fresh = [child for child, parent in parents.items() if parent in fresh]
        found += fresh
    return found


class EngineWithProcess(FakeBackend):
    """Answers A after some milliseconds; has a process that does not notice its parent's end."""

    def __init__(self) -> None:
        super().__init__(_answer_slowly)
        code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(900)"
        self._process = subprocess.Popen([sys.executable, "-S", "-c", code])

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


def _answer_slowly(request: Request) -> str:
    time.sleep(_ANSWER_S)
    return first_option(request)


def evaluate(data: Path, out: Path, observer: RunObserver, **cluster: Any) -> list[Record]:
    """Answer the demo's VSI-Bench with `EngineWithProcess` and return the records."""
    config = EvalConfig(
        tasks=("vsibench",), data=data, out=out, max_frames=4, max_pixels=18816,
        engine=EngineConfig(backend="fake"), decode=DecodeConfig(workers=1),
        cluster=ClusterConfig(**cluster),
    )  # fmt: skip
    job = _with_process(prepare("x", config))
    evaluate_plan(
        job.plan,
        job.engine,
        out,
        manifest=job.manifest,
        decoding=config.decode,
        observer=observer,
        squad=make_ray_squad(job, _plan_with_process),
    )
    return read_records(out)


def _with_process(job: EvalJob) -> EvalJob:
    return replace(job, engine=replace(job.engine, build=EngineWithProcess))


def _plan_with_process(
    checkpoint: str, config: EvalConfig, wanted: Mapping[str, Any]
) -> tuple[Plan, ResolvedEngine]:
    job = _with_process(prepare_again(checkpoint, config, wanted))
    return job.plan, job.engine
