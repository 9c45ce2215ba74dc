"""Kills replicas, decode workers, nodes and drivers of runs on a simulated Ray cluster.

    python -m tests.faults.replicas --runs 40

Runs answer the demo's VSI-Bench on two or three nodes of this machine, with a fake engine that has
a process of its own, and lose something at a random moment. What must hold: every item has one
record, equal to that of an undisturbed run in one process field by field, times aside, and what a
killed replica had started is gone within ten seconds. Then drivers are killed (`--drivers`) and
interrupted (`--interrupts`): nothing that was finished is lost or asked again, an interrupt ends
with 130, and no process is left.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from harness.run.observer import RunObserver
from harness.schema import ItemKey, Record
from tasks.demo.layouts import write_all
from tests.faults.kill import Evaluation
from tests.faults.small_cluster import (
    SmallCluster,
    decode_workers,
    evaluate,
    kill_with_children,
    marked,
    seconds_until_gone,
)

KILLS = ("replica", "decode worker", "node")
TIMES = ("decode_s", "generate_s")
GONE_S = 10.0
_LATEST_S = 2.0
"""How long after its start a process is killed at the latest, where no record is waited for."""
_FOUND_S = 60.0
"""How long a process to kill is waited for."""


def strip(record: Record) -> dict[str, Any]:
    """Return the fields of a record without its times."""
    return {k: v for k, v in dataclasses.asdict(record).items() if k not in TIMES}


class KillAt(RunObserver):
    """Kills once, after a number of records, and keeps the warnings.

    Args:
        after: Number of records; 0: at a random moment while replicas start.
        kill: Kills something and returns what has to end with it; nothing if nothing is there yet.
    """

    def __init__(self, after: int, kill: Callable[[], list[int]]) -> None:
        self._after = after
        self._kill = kill
        self._seen = 0
        self._watch: threading.Thread | None = None
        self.gone_s: float | None = None
        """Seconds from the kill until everything had ended; None: something was left."""
        self.warnings: list[str] = []
        if not after:
            self._begin_watch(random.uniform(0, _LATEST_S))

    def record(self, record: Record) -> None:
        """Count a record."""
        self._seen += 1
        if self._seen == self._after:
            self._begin_watch(0.0)

    def warn(self, message: str) -> None:
        """Keep a warning."""
        self.warnings.append(message)

    def end(self) -> None:
        """Wait until it is known whether everything has ended."""
        assert self._watch is not None
        self._watch.join()

    def _begin_watch(self, wait_s: float) -> None:
        self._watch = threading.Thread(target=self._strike, args=(wait_s,))
        self._watch.start()

    def _strike(self, wait_s: float) -> None:
        below: list[int] = []
        end = time.monotonic() + _FOUND_S
        while not below and time.monotonic() < end:
            time.sleep(wait_s)
            below = self._kill()
        self.gone_s = seconds_until_gone(below, GONE_S)


def kill_one(what: str, cluster: SmallCluster) -> list[int]:
    """Kill a replica, one of its decode workers, or a node; return what has to end with it."""
    if what == "node":
        return cluster.kill_node()
    found = cluster.replicas() if what == "replica" else decode_workers(cluster.mark)
    return kill_with_children(random.choice(found)) if found else []


def try_death(
    what: str, after: int, cluster: SmallCluster, data: Path, out: Path,
    expected: Mapping[ItemKey, Any],
) -> tuple[list[str], float]:  # fmt: skip
    """Run with one kill; return what does not hold, and the seconds until its processes ended."""
    observer = KillAt(after, partial(kill_one, what, cluster))
    records = evaluate(data, out, observer, replicas="2", ray=cluster.address)
    observer.end()
    problems = [] if observer.gone_s is not None else [f"something outlives it by {GONE_S:g} s"]
    if len(records) != len(expected):
        problems.append(f"{len(records)} of {len(expected)} records")
    problems += [f"{one.id} differs" for one in records if strip(one) != expected[one.key]]
    problems += _asked_twice(out)
    return [*problems, *(observer.warnings if problems else [])], observer.gone_s or GONE_S


def _asked_twice(out: Path) -> list[str]:
    lines = (out / "records-0.jsonl").read_text().splitlines()
    twice = len(lines) - len({line.partition(', "task"')[0] for line in lines})
    return [f"{twice} items have two records"] if twice else []


def try_driver(
    number: signal.Signals, group: bool, run: Evaluation, whole: Evaluation,
    replicas: Callable[[], list[int]],
) -> list[str]:  # fmt: skip
    """Kill or interrupt the command at a random record, run it again; return what does not hold.

    Args:
        number: What is sent.
        group: Whether it is sent to the whole process group.
        run: The command.
        whole: An undisturbed one.
        replicas: Returns processes that have to end, too.
    """
    process = run.start()
    wanted = random.randrange(1, 300)
    while process.poll() is None and len(run.finished()) < wanted:
        time.sleep(0.01)
    effective = process.poll() is None
    below = replicas()
    if effective:
        (os.killpg if group else os.kill)(process.pid, number)
    _, errors = process.communicate(timeout=120)
    problems = []
    if effective and number != signal.SIGKILL and process.returncode not in (0, 130):
        problems.append(f"ends with {process.returncode}")
    if "Traceback" in errors or (process.returncode == 130 and "are kept in" not in errors):
        problems.append(f"says {errors[-1000:]!r}")
    if seconds_until_gone([*below, *marked(run.mark)], GONE_S) is None:
        problems.append(f"processes are left: {marked(run.mark)}")
    kept = set(run.finished())
    code, errors = run.finish()
    if code:
        return [*problems, f"the resumed run ends with {code}: {errors[-300:]}"]
    again = [name for name, count in Counter(run.finished()).items() if count > 1]
    if again:
        problems.append(f"finished items were asked again: {again[:3]}")
    if not kept <= set(run.finished()):
        problems.append("finished items were lost")
    if set(run.finished()) != set(whole.finished()) or run.summary() != whole.summary():
        problems.append("its results differ from the undisturbed run's")
    return problems


@dataclass(frozen=True)
class Suite:
    """How often each thing is tried."""

    kills: tuple[str, ...] = KILLS
    runs: int = 40
    drivers: int = 10
    interrupts: int = 4


def run_suite(suite: Suite, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Try everything; yield what was tried and what does not hold."""
    data = folder / "data"
    write_all(data)
    alone = evaluate(data, folder / "alone", RunObserver())
    expected = {record.key: strip(record) for record in alone}
    whole = Evaluation(data, folder / "whole")
    if suite.drivers or suite.interrupts:
        code, errors = whole.finish()
        assert code == 0, errors
    if suite.runs or suite.drivers:
        with SmallCluster() as cluster:
            for number in range(suite.runs):
                nodes = 2 + number // len(suite.kills) % 2
                cluster.have(nodes)
                what = suite.kills[number % len(suite.kills)]
                after = random.choice([0, *random.choices(range(1, len(expected)), k=3)])
                problems, gone_s = try_death(
                    what, after, cluster, data, folder / f"{number}", expected
                )
                yield f"{what} of {nodes} nodes after {after}, gone in {gone_s:.1f} s", problems
            cluster.have(2)
            for number in range(suite.drivers):
                flags = ("--replicas", "2", "--ray", cluster.address)
                run = Evaluation(data, folder / f"driver{number}", flags)
                yield (
                    "driver",
                    try_driver(signal.SIGKILL, False, run, whole, cluster.of_replicas),
                )
    for number in range(suite.interrupts):
        sent = (signal.SIGINT, signal.SIGTERM)[number % 2]
        group = number % 4 < 2  # as a terminal does, and as `scancel --batch` does
        run = Evaluation(data, folder / f"interrupt{number}", ("--replicas", "2"))
        problems = try_driver(sent, group, run, whole, lambda: [])
        yield f"{sent.name} to {'the group' if group else 'the command'}", problems


def main() -> int:
    """Run the suite; exit 1 where something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("runs", "drivers", "interrupts"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Suite, name))
    parser.add_argument("--seed", type=int, default=0)
    args = vars(parser.parse_args())
    random.seed(args.pop("seed"))
    tried = bad = 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for what, problems in run_suite(Suite(**args), Path(folder)):
            tried, bad = tried + 1, bad + bool(problems)
            print(f"{tried} {what}: {problems or 'holds'}", flush=True)  # noqa: T201
    print(f"{tried - bad} of {tried} hold, {time.monotonic() - began:.0f} s")  # noqa: T201
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
