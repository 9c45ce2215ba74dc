"""The table: medians over repeats, ratios to us, distance to the limit, and what was counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from tests.bench.eval.contenders import COMMON_SETTINGS, CONTENDERS, Result
from tests.bench.eval.workloads import Workload

US, READY, LIMIT = "videor1", "ready", "limit"
PARTS = ("preprocess", "step", "model", "vision")
"""Seconds inside the engine: `model` is a part of `step`, `vision` of `model`."""
_NOT_ROWS = (READY, LIMIT)
_COUNTED = ("decodes", "encodings")
COLUMNS = (
    "", "start-up s", "work s", "head start s", "s/question", "ratio", "ratio without head start",
    "total s", "ratio", "CPU s", "decodes/video", "vision encodings/video", "peak RSS MiB",
)  # fmt: skip
EXPLANATION = (
    "Start-up ends when the engine can take a request, work with the last answer; total is the"
    " whole process. The head start is what decoding the files would take that were decoded during"
    " start-up, at the pace measured for the limit; s/question, the first ratio and the distance"
    " to the limit count it as work. Ratios are a contender's time over ours. lmms-eval sends"
    " frames one by one, so its encodings are of images."
)


def markdown(workloads: Sequence[Workload], results: Sequence[Result], machine: str) -> str:
    """Write the report."""
    repeats = 1 + max(result.repeat for result in results)
    lines = ["# Evaluation speed", "", machine, "", f"- all: {COMMON_SETTINGS}"]
    lines += [f"- {contender.name}: {contender.settings}" for contender in CONTENDERS]
    lines += ["", f"{EXPLANATION} Medians of {repeats} alternating repeats."]
    for workload in workloads:
        mine = [result for result in results if result.workload == workload.name]
        if mine:
            lines += ["", *_section(workload, mine)]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class _Runs:
    """All runs of one contender on one workload."""

    name: str
    all: Sequence[Result]
    decode_s: float
    """What one file costs to decode, spread over the cores."""

    @property
    def good(self) -> list[Result]:
        return [run for run in self.all if run.failure is None]

    @property
    def failures(self) -> str:
        return "; ".join(f"repeat {run.repeat}: {run.failure}" for run in self.all if run.failure)

    def median(self, field: str) -> float:
        return median(getattr(run, field) for run in self.good)

    @property
    def head_start(self) -> float:
        early = (run.probe["counts"].get("decodes_before_ready", 0) for run in self.good)
        return median(early) * self.decode_s

    @property
    def work(self) -> float:
        return self.median("work_s") + self.head_start


def _section(workload: Workload, results: Sequence[Result]) -> list[str]:
    limits = [run for run in results if run.contender == LIMIT and run.failure is None]
    limit = {key: median(run.extra[key] for run in limits) for key in _numbers(limits)}
    decode_s = limit.get("decode_cpu_s", 0.0) / limit.get("cores", 1) / workload.videos
    table = {
        contender.name: _Runs(contender.name, runs, decode_s)
        for contender in CONTENDERS
        if (runs := [run for run in results if run.contender == contender.name])
    }
    lines = [
        f"## {workload.name}: {workload.videos} videos x {workload.per_video}"
        f" = {workload.questions} questions",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---" * len(COLUMNS) + "|",
    ]
    ours = table.get(US)
    lines += [_line(runs, workload, ours) for name, runs in table.items() if name not in _NOT_ROWS]
    if limit:
        lines += ["", _limit(limit, limits)]
    elif LIMIT in table:
        lines += ["", f"The limit could not be measured: {table[LIMIT].failures}"]
    if limit and ours and ours.good:
        lines += ["", _distance(limit, ours)]
    if limit and READY in table and table[READY].good:
        lines += ["", _together(limit, table[READY])]
    return lines


def _line(runs: _Runs, workload: Workload, ours: _Runs | None) -> str:
    if not runs.good:
        return f"| {runs.name} | FAILED: {runs.failures} |" + " |" * (len(COLUMNS) - 2)
    note = f" (some FAILED: {runs.failures})" if runs.failures else ""
    first = runs.good[0].probe
    has_ours = ours is not None and bool(ours.good)
    work, total = runs.median("work_s"), runs.median("total_s")
    cells = [
        f"{runs.median('startup_s'):.1f}", f"{work:.2f}", f"{runs.head_start:.2f}",
        f"{runs.work / workload.questions:.4f}",
        f"{runs.work / ours.work:.2f}x" if has_ours else "-",
        f"{work / ours.median('work_s'):.2f}x" if has_ours else "-",
        f"{total:.1f}", f"{total / ours.median('total_s'):.2f}x" if has_ours else "-",
        f"{runs.median('cpu_s'):.1f}",
        *(f"{sum(first[kind].values()) / workload.videos:.2f}" for kind in _COUNTED),
        f"{max(run.max_rss_mib for run in runs.good):.0f}",
    ]  # fmt: skip
    return f"| {runs.name}{note} | " + " | ".join(cells) + " |"


def _limit(limit: dict[str, float], runs: Sequence[Result]) -> str:
    parts = _told({name: [run.extra["engine_parts_s"][name] for run in runs] for name in PARTS})
    return (
        f"Limit {limit['limit_s']:.2f} s = max(decoding {limit['decode_cpu_s']:.2f} s over"
        f" {limit['cores']:.0f} cores, engine fed from memory {limit['engine_s']:.2f} s);"
        f" {limit['shared_s']:.2f} s where both share these cores. The decode pool alone took"
        f" {limit['decode_pool_s']:.2f} s. The engine alone, nested: {parts} s."
    )


def _together(limit: dict[str, float], ready: _Runs) -> str:
    seconds = median(run.extra["together_s"] for run in ready.good)
    return (
        f"With engine and workers started before the clock, decoding and answering take"
        f" {seconds:.2f} s: {seconds / limit['limit_s']:.2f}x the limit"
        f" ({seconds / limit['shared_s']:.2f}x the shared one)."
    )


def _distance(limit: dict[str, float], ours: _Runs) -> str:
    runs = ours.good
    parts = _told(
        {name: [run.probe["seconds"].get(name, 0.0) for run in runs] for name in (*PARTS, "decode")}
    )
    idle = median(
        run.probe["at"]["first_request"] - run.probe["at"]["engine_ready"] for run in runs
    )
    after = median(run.total_s - run.startup_s - run.work_s for run in runs)
    early = median(run.probe["counts"].get("decodes_before_ready", 0) for run in runs)
    return (
        f"As a process of its own we are at {ours.work / limit['limit_s']:.2f}x the limit"
        f" ({ours.work / limit['shared_s']:.2f}x the shared one). First request {idle:.2f} s after"
        f" the engine was ready, {early:.0f} files decoded before that; across processes, nested:"
        f" {parts} s. After the last answer: {after:.2f} s."
    )


def _told(seconds: dict[str, list[float]]) -> str:
    return ", ".join(f"{name} {median(values):.2f}" for name, values in seconds.items())


def _numbers(runs: Sequence[Result]) -> list[str]:
    """Name what every run of the limit measured as one number."""
    extra: dict[str, Any] = runs[0].extra if runs else {}
    return [key for key, value in extra.items() if isinstance(value, int | float)]
