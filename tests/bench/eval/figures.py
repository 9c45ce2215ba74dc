"""What the runs of one workload come to: medians over repeats, ratios to us, the limit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Self

from tests.bench.eval.contenders import CONTENDERS, Result
from tests.bench.eval.workloads import Workload

US, READY, LIMIT = "videor1", "ready", "limit"
OTHERS = tuple(one.name for one in CONTENDERS if one.name not in (US, READY, LIMIT))


@dataclass(frozen=True, slots=True)
class Runs:
    """All runs of one contender on one workload."""

    name: str
    all: Sequence[Result]
    decode_s: float
    """What one file costs to decode, spread over the cores."""

    @property
    def good(self) -> list[Result]:
        """Those that answered everything."""
        return [run for run in self.all if run.failure is None]

    @property
    def failures(self) -> str:
        """Why the others did not."""
        return "; ".join(f"repeat {run.repeat}: {run.failure}" for run in self.all if run.failure)

    def median(self, field: str) -> float:
        """Return the median of one of a result's numbers."""
        return median(getattr(run, field) for run in self.good)

    @property
    def head_start_s(self) -> float:
        """What it would take now to decode the files that were decoded during start-up."""
        early = (run.probe["counts"].get("decodes_before_ready", 0) for run in self.good)
        return median(early) * self.decode_s

    @property
    def all_work_s(self) -> float:
        """The work after start-up and the head start."""
        return self.median("work_s") + self.head_start_s


@dataclass(frozen=True, slots=True)
class Figures:
    """One workload: who ran it, and the limit of the machine for it."""

    workload: Workload
    runs: Mapping[str, Runs]
    """By contender; only those that took part."""
    limit: Mapping[str, float]
    """Medians of what the limit measured; empty where it did not run or failed."""

    @classmethod
    def of(cls, workload: Workload, results: Iterable[Result]) -> Self:
        """Take the results of this workload, whatever others there are."""
        mine = [result for result in results if result.workload == workload.name]
        measured = [run.extra for run in mine if run.contender == LIMIT and run.failure is None]
        numbers: dict[str, Any] = measured[0] if measured else {}
        limit = {
            key: median(extra[key] for extra in measured)
            for key, value in numbers.items()
            if isinstance(value, int | float)
        }
        decode_s = limit.get("decode_cpu_s", 0.0) / limit.get("cores", 1) / workload.videos
        runs = {
            one.name: Runs(one.name, its, decode_s)
            for one in CONTENDERS
            if (its := [run for run in mine if run.contender == one.name])
        }
        return cls(workload, runs, limit)

    def good(self, name: str) -> Runs | None:
        """Return the runs of a contender that has at least one good one."""
        runs = self.runs.get(name)
        return runs if runs and runs.good else None

    def ratio(self, name: str) -> float | None:
        """Return how many times our work after start-up a contender's takes, head starts added."""
        ours, theirs = self.good(US), self.good(name)
        return theirs.all_work_s / ours.all_work_s if ours and theirs else None

    def whole_ratio(self, name: str) -> float | None:
        """Return the same for whole processes."""
        ours, theirs = self.good(US), self.good(name)
        return theirs.median("total_s") / ours.median("total_s") if ours and theirs else None
