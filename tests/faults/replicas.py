"""Kills replicas, decode workers, nodes and drivers of runs on a simulated Ray cluster.

    python -m tests.faults.replicas --runs 40

Each run answers the demo's VSI-Bench on two nodes of this machine with the fake engine, and loses
something at a random moment. What must hold: every item has one record, equal to that of an
undisturbed run in one process field by field, times aside.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.backends.engine_config import EngineConfig
from harness.run.config import ClusterConfig, DecodeConfig, EvalConfig
from harness.run.evaluate import prepare, run_job
from harness.run.observer import RunObserver
from harness.run.store import read_records
from harness.schema import Record
from tasks.demo.layouts import write_all

KILLS = ("replica", "decode worker", "node")
TIMES = ("decode_s", "generate_s")
_STORE = 80 << 20


def strip(record: Record) -> dict[str, Any]:
    """Return the fields of a record without its times."""
    return {k: v for k, v in dataclasses.asdict(record).items() if k not in TIMES}


def evaluate(data: Path, out: Path, observer: RunObserver, **cluster: Any) -> list[Record]:
    """Answer the demo's VSI-Bench with the fake engine and return the records."""
    config = EvalConfig(
        tasks=("vsibench",), data=data, out=out, max_frames=4, max_pixels=18816,
        engine=EngineConfig(backend="fake"), decode=DecodeConfig(workers=1),
        cluster=ClusterConfig(**cluster),
    )  # fmt: skip
    run_job(prepare("x", config), observer)
    return read_records(out)


class SmallCluster:
    """A head without room for replicas, and nodes of one processor each; a context manager."""

    def __init__(self, nodes: int = 2) -> None:
        os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "object_store_memory": _STORE, "include_dashboard": False}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self._nodes = [self._add() for _ in range(nodes)]
        self._cluster.wait_for_nodes()
        self.address = self._cluster.address

    def __enter__(self) -> SmallCluster:
        return self

    def __exit__(self, *error: object) -> None:
        self._cluster.shutdown()

    def kill_node(self) -> None:
        """Kill a node's processes."""
        self._cluster.remove_node(self._nodes.pop(), allow_graceful=False)

    def complete(self) -> None:
        """Add the nodes that were killed."""
        while len(self._nodes) < 2:
            self._nodes.append(self._add())
        self._cluster.wait_for_nodes()

    def _add(self) -> Any:
        return self._cluster.add_node(num_cpus=1, object_store_memory=_STORE)


class KillAt(RunObserver):
    """Calls a function once, after a number of records, and keeps the warnings."""

    def __init__(self, after: int, act: Callable[[], None]) -> None:
        self._after = after
        self._act: Callable[[], None] | None = act
        self._seen = 0
        self.warnings: list[str] = []

    def record(self, record: Record) -> None:
        """Count a record."""
        self._seen += 1
        if self._seen >= self._after and self._act is not None:
            act, self._act = self._act, None
            act()

    def warn(self, message: str) -> None:
        """Keep a warning."""
        self.warnings.append(message)


def kill(what: str, cluster: SmallCluster) -> None:
    """Kill a replica, one of its decode workers, or a node."""
    if what == "node":
        cluster.kill_node()
        return
    actors = _processes("ray::_Actor")
    victims = actors if what == "replica" else _processes("harness.video.worker")
    if victims:
        os.kill(random.choice(victims), signal.SIGKILL)


def _processes(mark: str) -> list[int]:
    """Return the processes whose command line has a mark and that descend from this one."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if entry.name.isdecimal() and mark in line and _descends(int(entry.name)):
            found.append(int(entry.name))
    return found


def _descends(pid: int) -> bool:
    while pid > 1:
        if pid == os.getpid():
            return True
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return False
    return False


def try_once(what: str, cluster: SmallCluster, data: Path, out: Path, expected: Any) -> list[str]:
    """Run with one kill and return what does not hold."""
    observer = KillAt(random.randrange(1, len(expected)), lambda: kill(what, cluster))
    records = evaluate(data, out, observer, replicas="2", ray=cluster.address)
    problems = []
    if len(records) != len(expected):
        problems.append(f"{len(records)} of {len(expected)} records")
    for record in records:
        if record.failure is not None and what == "decode worker":
            continue  # the file whose worker was killed fails by name, as in one process
        if strip(record) != expected[record.key]:
            problems.append(f"{record.id} differs")
    return [*problems, *(observer.warnings if problems else [])]


def main() -> int:
    """Run the suite; exit 1 where something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    random.seed(args.seed)
    with tempfile.TemporaryDirectory() as name, SmallCluster() as cluster:
        folder = Path(name)
        write_all(folder / "data")
        alone = evaluate(folder / "data", folder / "alone", RunObserver())
        expected = {record.key: strip(record) for record in alone}
        bad = 0
        for number in range(args.runs):
            what, began = KILLS[number % len(KILLS)], time.monotonic()
            cluster.complete()
            found = try_once(what, cluster, folder / "data", folder / f"{number}", expected)
            bad += bool(found)
            seconds = time.monotonic() - began
            print(f"{number} {what}: {found or 'holds'}, {seconds:.1f} s", flush=True)  # noqa: T201
    print(f"{args.runs - bad} of {args.runs} runs hold")  # noqa: T201
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
