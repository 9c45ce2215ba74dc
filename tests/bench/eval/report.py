"""The tables: an overview, and per workload everything that was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from tests.bench.eval.contenders import COMMON_SETTINGS, CONTENDERS, Result
from tests.bench.eval.figures import LIMIT, OTHERS, READY, US, Figures, Runs
from tests.bench.eval.workloads import Workload

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
    " frames one by one, so its encodings are of images. In the overview the part of the limit is"
    " our time from a ready engine to the last answer; ratios are for work with the head start"
    " and, in brackets, for the whole process."
)


def markdown(workloads: Sequence[Workload], results: Sequence[Result], machine: str) -> str:
    """Write the report."""
    figures = [Figures.of(workload, results) for workload in workloads]
    figures = [one for one in figures if one.runs]
    lines = ["# Evaluation speed", "", machine, "", f"- all: {COMMON_SETTINGS}"]
    lines += [f"- {contender.name}: {contender.settings}" for contender in CONTENDERS]
    lines += ["", EXPLANATION, "", *_overview(figures)]
    for one in figures:
        lines += ["", *_section(one)]
    return "\n".join(lines) + "\n"


def _overview(all_figures: Sequence[Figures]) -> list[str]:
    """One line a workload: how long we take, how near the limit, and how many times that peers."""
    ran = [name for name in OTHERS if any(name in figures.runs for figures in all_figures)]
    heads = ["", "questions", "ours, s/question", "of the limit", *ran]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for figures in all_figures:
        ours, limit = figures.good(US), figures.limit.get("limit_s")
        workload = figures.workload
        cells = [
            f"{workload.name} ({workload.videos} videos)",
            f"{workload.questions}",
            f"{ours.all_work_s / workload.questions:.4f}" if ours else "FAILED",
            f"{ours.median('work_s') / limit:.2f}x" if ours and limit else "-",
            *(_pair(figures.ratio(name), figures.whole_ratio(name)) for name in ran),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _pair(ratio: float | None, whole: float | None) -> str:
    return "-" if ratio is None or whole is None else f"{ratio:.1f}x ({whole:.1f}x)"


def _section(figures: Figures) -> list[str]:
    workload, limit = figures.workload, figures.limit
    lines = [
        f"## {workload.name}: {workload.videos} videos x {workload.per_video}"
        f" = {workload.questions} questions, medians of {_repeats(figures)}",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---" * len(COLUMNS) + "|",
    ]
    lines += [_line(figures, runs) for name, runs in figures.runs.items() if name not in _NOT_ROWS]
    ours, ready, alone = figures.good(US), figures.good(READY), figures.runs.get(LIMIT)
    if limit and alone:
        lines += ["", _limit(limit, alone.good)]
    elif alone:
        lines += ["", f"The limit could not be measured: {alone.failures}"]
    if limit and ours:
        lines += ["", _distance(limit, ours)]
    if limit and ready:
        lines += ["", _together(limit, ready)]
    return lines


def _repeats(figures: Figures) -> str:
    counts = {len(runs.all) for runs in figures.runs.values()}
    return f"{'/'.join(str(count) for count in sorted(counts))} alternating repeats"


def _line(figures: Figures, runs: Runs) -> str:
    if not runs.good:
        return f"| {runs.name} | FAILED: {runs.failures} |" + " |" * (len(COLUMNS) - 2)
    note = f" (some FAILED: {runs.failures})" if runs.failures else ""
    first, ours, videos = runs.good[0].probe, figures.good(US), figures.workload.videos
    work = runs.median("work_s")
    cells = [
        f"{runs.median('startup_s'):.1f}", f"{work:.2f}", f"{runs.head_start_s:.2f}",
        f"{runs.all_work_s / figures.workload.questions:.4f}",
        _times(figures.ratio(runs.name)),
        _times(work / ours.median("work_s") if ours else None),
        f"{runs.median('total_s'):.1f}", _times(figures.whole_ratio(runs.name)),
        f"{runs.median('cpu_s'):.1f}",
        *(f"{sum(first[kind].values()) / videos:.2f}" for kind in _COUNTED),
        f"{max(run.max_rss_mib for run in runs.good):.0f}",
    ]  # fmt: skip
    return f"| {runs.name}{note} | " + " | ".join(cells) + " |"


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}x"


def _limit(limit: Mapping[str, float], runs: Sequence[Result]) -> str:
    parts = _told({name: [run.extra["engine_parts_s"][name] for run in runs] for name in PARTS})
    return (
        f"Limit {limit['limit_s']:.2f} s = max(decoding {limit['decode_cpu_s']:.2f} s over"
        f" {limit['cores']:.0f} cores, engine fed from memory {limit['engine_s']:.2f} s);"
        f" {limit['shared_s']:.2f} s where both share these cores. The decode pool alone took"
        f" {limit['decode_pool_s']:.2f} s. The engine alone, nested: {parts} s."
    )


def _together(limit: Mapping[str, float], ready: Runs) -> str:
    seconds = median(run.extra["together_s"] for run in ready.good)
    return (
        f"With engine and workers started before the clock, decoding and answering take"
        f" {seconds:.2f} s: {seconds / limit['limit_s']:.2f}x the limit"
        f" ({seconds / limit['shared_s']:.2f}x the shared one)."
    )


def _distance(limit: Mapping[str, float], ours: Runs) -> str:
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
        f"From a ready engine to the last answer we take"
        f" {ours.median('work_s') / limit['limit_s']:.2f}x the limit; with the head start as work"
        f" {ours.all_work_s / limit['limit_s']:.2f}x, and"
        f" {ours.all_work_s / limit['shared_s']:.2f}x the shared one. First request {idle:.2f} s"
        f" after the engine was ready, {early:.0f} files decoded before that; across processes,"
        f" nested: {parts} s. After the last answer: {after:.2f} s."
    )


def _told(seconds: dict[str, list[float]]) -> str:
    return ", ".join(f"{name} {median(values):.2f}" for name, values in seconds.items())
