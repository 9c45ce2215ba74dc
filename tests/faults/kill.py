"""Kills evaluations at random moments, resumes them, and looks for what was lost.

    python -m tests.faults.kill --kills 200
    python -m tests.faults.kill --kills 100 --command probe

Runs of about 300 items on the fake engine get KILL, TERM or INT, as a process or as a whole process
group. Each run is killed a few times and then finished. What must hold: no finished item is lost
or asked again, the summary equals that of an uninterrupted run, an interrupt ends with 130 and
without a traceback, and no process is left.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from tasks.demo.layouts import write_all
from tests.interrupts import interruptible
from tests.paths import ROOT

SIGNALS = {signal.SIGKILL: 3, signal.SIGTERM: 1, signal.SIGINT: 1}
"""How often each is drawn."""
MOST_PER_RUN = 5
ORPHAN_S = 5.0
"""How long a process may outlive the command: workers look for their parent twice a second."""
RUN_S = 300.0
_MARK = "VIDEOR1_KILL_SUITE"


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill and what was found after it."""

    number: signal.Signals
    target: str
    """``main`` or ``group``."""
    code: int
    effective: bool
    """Whether the command still ran."""
    problems: tuple[str, ...]


@dataclass(slots=True)
class Report:
    """What a suite of kills found."""

    kills: list[Kill] = field(default_factory=list)
    runs: int = 0
    problems: list[str] = field(default_factory=list)
    """Of finished runs."""

    @property
    def failed(self) -> list[str]:
        """Everything that must not be."""
        return [*self.problems, *(one for kill in self.kills for one in kill.problems)]

    def table(self) -> str:
        """Return one line per signal and target, then the problems."""
        lines = [f"{'signal':<8} {'target':<6} {'kills':>6} {'too late':>9} {'problems':>9}  exits"]
        for number in SIGNALS:
            for target in ("main", "group"):
                of_kind = [k for k in self.kills if (k.number, k.target) == (number, target)]
                exits = Counter(kill.code for kill in of_kind if kill.effective)
                late = sum(not kill.effective for kill in of_kind)
                bad = sum(bool(kill.problems) for kill in of_kind)
                shown = ", ".join(f"{code}: {count}" for code, count in sorted(exits.items()))
                lines.append(
                    f"{number.name:<8} {target:<6} {len(of_kind) - late:>6} {late:>9} {bad:>9}"
                    f"  {shown}"
                )
        lines.append(f"{self.runs} runs finished, {len(self.problems)} problems in their results")
        return "\n".join([*lines, *self.failed[:40]])


class Evaluation:
    """The command that is killed, and its run directory."""

    name = "eval"
    asks: Sequence[str] = ()
    """Flags that say what is asked."""

    def __init__(self, data: Path, out: Path, flags: Sequence[str] = ()) -> None:
        self.out = out
        self.mark = uuid4().hex
        self.command = [
            sys.executable, "-m", "harness", self.name, "guesser", "--backend", "fake",
            "--data", str(data), "--out", str(out), "--max-frames", "4", "--max-pixels", "18816",
            "--workers", "2", *self.asks, *flags,
        ]  # fmt: skip

    def start(self) -> subprocess.Popen[str]:
        """Start it in a process group of its own."""
        return subprocess.Popen(
            interruptible(self.command),
            cwd=ROOT,
            env={**os.environ, _MARK: self.mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self) -> tuple[int, str]:
        """Run it to its end; return exit code and what it printed to standard error."""
        process = self.start()
        _, errors = process.communicate(timeout=RUN_S)
        return process.returncode, errors

    def finished(self) -> list[str]:
        """Return the ids of the items on disk that have an answer, in the order of their lines."""
        return _read_finished(self.out)

    def summary(self) -> Any:
        """Return the tasks in its summary."""
        return json.loads((self.out / "summary.json").read_text())["tasks"]

    def processes(self) -> list[int]:
        """Return the ids of living processes that it started."""
        return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if self._is_ours(entry)]

    def _is_ours(self, entry: Path) -> bool:
        try:
            marked = f"{_MARK}={self.mark}".encode() in (entry / "environ").read_bytes()
            return marked and ") Z " not in (entry / "stat").read_text()
        except OSError:
            return False


class Probe(Evaluation):
    """A probe: its items are those of all variants, its summary is what it has measured."""

    name = "probe"
    asks = ("--tasks", "vsibench,tempcompass", "--variants", "ordered,options,shuffled,blind")

    def finished(self) -> list[str]:
        """Return variant and id of the items on disk that have an answer."""
        return [
            f"{folder.name} {name}"
            for folder in sorted(self.out.glob("*/"))
            for name in _read_finished(folder)
        ]

    def summary(self) -> Any:
        """Return scores and measures of all variants."""
        content = json.loads((self.out / "probe.json").read_text())
        return {name: content[name] for name in ("variants", "measures", "left_out")}


COMMANDS = {kind.name: kind for kind in (Evaluation, Probe)}


def _read_finished(folder: Path) -> list[str]:
    path = folder / "records-0.jsonl"
    whole = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    lines = map(json.loads, whole)
    return [line["id"] for line in lines if line["outcome"] != "failed"]


def run_suite(
    kills: int, seed: int, folder: Path, command: type[Evaluation] = Evaluation
) -> Report:
    """Kill until there were so many effective kills; return what was found."""
    rng, report = random.Random(seed), Report()
    data = folder / "data"
    write_all(data)
    whole = command(data, folder / "whole")
    began = time.monotonic()
    code, errors = whole.finish()
    assert code == 0, errors
    lasts_s = time.monotonic() - began
    while sum(kill.effective for kill in report.kills) < kills:
        report.runs += 1
        _kill_and_finish(command(data, folder / f"run{report.runs}"), whole, rng, report, lasts_s)
        print(f"{len(report.kills)} kills, {len(report.failed)} problems", file=sys.stderr)  # noqa: T201
    return report


def _kill_and_finish(
    run: Evaluation, whole: Evaluation, rng: random.Random, report: Report, lasts_s: float
) -> None:
    kept: list[str] = []
    for _ in range(rng.randint(1, MOST_PER_RUN)):
        [number] = rng.choices(list(SIGNALS), weights=list(SIGNALS.values()))
        target = rng.choice(("main", "group"))
        kill = _kill_once(run, number, target, rng.uniform(0, lasts_s), kept)
        report.kills.append(kill)
        kept = run.finished()
    where = f"run {run.out.name}"
    code, errors = run.finish()
    if code != 0:
        report.problems.append(f"{where}: the resumed run ends with {code}: {errors[-300:]}")
        return
    if run.summary() != whole.summary():
        report.problems.append(f"{where}: its summary differs from the uninterrupted run's")
    again = [name for name, count in Counter(run.finished()).items() if count > 1]
    if again:
        report.problems.append(f"{where}: finished items were asked again: {again[:3]}")
    if set(run.finished()) != set(whole.finished()):
        report.problems.append(f"{where}: its items differ from the uninterrupted run's")


def _kill_once(
    run: Evaluation, number: signal.Signals, target: str, after_s: float, kept: Sequence[str]
) -> Kill:
    process = run.start()
    time.sleep(after_s)
    effective = process.poll() is None
    if effective:
        (os.killpg if target == "group" else os.kill)(process.pid, number)
    _, errors = process.communicate(timeout=RUN_S)
    problems = [
        f"{number.name} to {target} after {after_s:.2f} s: {problem}"
        for problem in _find_problems(run, number, process.returncode, errors, kept)
    ]
    return Kill(number, target, process.returncode, effective, tuple(problems))


def _find_problems(
    run: Evaluation, number: signal.Signals, code: int, errors: str, kept: Sequence[str]
) -> list[str]:
    problems = []
    if not _is_expected(number, code, errors):
        problems.append(f"ends with {code}: {errors[-300:]!r}")
    lost = set(kept) - set(run.finished())
    if lost:
        problems.append(f"{len(lost)} finished items were lost")
    deadline = time.monotonic() + ORPHAN_S
    while (orphans := run.processes()) and time.monotonic() < deadline:
        time.sleep(0.05)
    if orphans:
        problems.append(f"processes are left: {orphans}")
        for orphan in orphans:
            os.kill(orphan, signal.SIGKILL)
    return problems


def _is_expected(number: signal.Signals, code: int, errors: str) -> bool:
    """Return whether a command ended as it should, where the signal came in time or too late.

    Before our first line of code Python itself decides: a signal then ends it as the system does,
    with a traceback of its own start-up at most.
    """
    ours = "harness/" in errors or "tasks/" in errors
    if number == signal.SIGKILL:
        return code in (-signal.SIGKILL, 0) and "Traceback" not in errors
    if code in (-number, 1) and "exit " not in errors:
        return not ours
    return code in (0, 130) and "Traceback" not in errors and f"exit {code} (" in errors


def main() -> int:
    """Run the suite and print its table; 1 where something fell through."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--command", choices=sorted(COMMANDS), default=Evaluation.name)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = run_suite(args.kills, args.seed, Path(folder), COMMANDS[args.command])
    print(report.table())  # noqa: T201
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
