"""Who takes part, how each is started, and what is read back from its process."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.eval.probe import OUT
from tests.bench.eval.settings import BATCH, ENGINE, ENVIRONMENT, FRAMES, NEW_TOKENS, PIXELS
from tests.bench.eval.workloads import Prepared

TIMEOUT_S = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One way to evaluate a workload, run in a process of its own."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    """After data folder, checkpoint and output path."""
    settings: str
    """Printed beside the numbers."""
    warmed: bool = False
    """Run once before, unmeasured: ``{cache}`` in `arguments` is then a filled frame cache."""


CONTENDERS = (
    Contender(
        name="videor1",
        module="tests.bench.eval.ours",
        settings="videor1 eval --tasks vsibench --protocol official, its defaults",
    ),
    Contender(
        name="videor1 cached",
        module="tests.bench.eval.ours",
        arguments=("--frame-cache", "{cache}"),
        warmed=True,
        settings="the same with --frame-cache, filled by a run before: a second checkpoint",
    ),
    Contender(
        name="lmms-eval b1",
        module="tests.bench.eval.lmms",
        arguments=("1",),
        settings="lmms-eval 0.7.3 --model vllm (chat), --batch_size 1 (its default), decord",
    ),
    Contender(
        name="lmms-eval b32",
        module="tests.bench.eval.lmms",
        arguments=("32",),
        settings="lmms-eval 0.7.3 --model vllm (chat), --batch_size 32, decord",
    ),
    Contender(
        name="batch loop",
        module="tests.bench.eval.batch_loop",
        settings=f"Video-R1's loop: decode {BATCH} (decord), LLM.generate, repeat",
    ),
    Contender(
        name="ready",
        module="tests.bench.eval.ready",
        settings="us with the engine and the decode workers started before the clock",
    ),
    Contender(
        name="limit",
        module="tests.bench.eval.limit",
        settings="our decoding alone over the cores; our backend alone, fed from memory",
    ),
)
COMMON_SETTINGS = (
    f"{FRAMES} frames, {PIXELS} pixels each, {NEW_TOKENS} new tokens (greedy, never ending early);"
    f" engine of the peers: {ENGINE}; environment: {ENVIRONMENT}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One run of one contender."""

    workload: str
    contender: str
    repeat: int
    failure: str | None
    """Why there are no numbers; None for a run that answered everything."""
    total_s: float
    """From before the process starts until it has ended."""
    startup_s: float = 0.0
    """Until the engine can take a request."""
    work_s: float = 0.0
    """From then until the last answer."""
    cpu_s: float = 0.0
    """Processor time of the process and its children."""
    max_rss_mib: float = 0.0
    """Of the largest process."""
    probe: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    """``timing`` of our summary.json; what `ready` and the limit measured themselves."""


def cores() -> int:
    """Return how many processors the contenders may use."""
    return len(os.sched_getaffinity(0))


def run(contender: Contender, prepared: Prepared, checkpoint: Path, repeat: int) -> Result:
    """Run a contender once; whatever goes wrong becomes a failed result."""
    work = prepared.data.parent.parent
    cache = work / "frame-caches" / prepared.data.name
    if contender.warmed and not cache.exists():
        _run(contender, prepared, checkpoint, cache, repeat)
    return _run(contender, prepared, checkpoint, cache, repeat)


def _run(
    contender: Contender, prepared: Prepared, checkpoint: Path, cache: Path, repeat: int
) -> Result:
    workload = prepared.workload
    folder = prepared.data.parent.parent / "runs" / f"{workload.name}-{time.time_ns()}"
    folder.mkdir(parents=True)
    out, counted = folder / "out", folder / "probe.json"
    command = [
        sys.executable, "-m", contender.module,
        str(prepared.data.resolve()), str(checkpoint.resolve()), str(out.resolve()),
        *(argument.format(cache=cache.resolve()) for argument in contender.arguments),
    ]  # fmt: skip
    environment = {
        **os.environ, **ENVIRONMENT, OUT: str(counted.resolve()),
        "HF_HOME": str((folder / "hf").resolve()),
    }  # fmt: skip
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.time()
    with (folder / "log").open("wb") as log:
        code = _wait(command, environment, log.fileno())
    total = time.time() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = Result(
        workload=workload.name, contender=contender.name, repeat=repeat,
        failure=code, total_s=total,
        cpu_s=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    )  # fmt: skip
    return _read(result, workload.questions, began, out, counted, folder / "log")


def _wait(command: Sequence[str], environment: dict[str, str], log: int) -> str | None:
    """Run a command; say how it failed."""
    try:
        code = subprocess.run(
            command, env=environment, stdout=log, stderr=log, timeout=TIMEOUT_S, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        return f"not done within {TIMEOUT_S:.0f} s"
    return f"exit code {code}" if code else None


def _read(
    result: Result, questions: int, began: float, out: Path, counted: Path, log: Path
) -> Result:
    values = asdict(result)
    probe = json.loads(counted.read_text()) if counted.exists() else {}
    counts, at = probe.get("counts", {}), probe.get("at", {})
    failure = result.failure
    if failure is None and counts.get("answers", 0) != questions:
        failure = f"{counts.get('answers', 0)} of {questions} questions were answered"
    if failure is None and counts["output_tokens"] != NEW_TOKENS * questions:
        failure = f"{counts['output_tokens']} tokens, not {NEW_TOKENS} for each question"
    if failure is not None:
        tail = log.read_text(errors="replace").strip().splitlines()[-3:]
        values["failure"] = f"{failure}; {log}: {' / '.join(tail)[-400:]}"
        return Result(**{**values, "probe": probe})
    return Result(**{
        **values, "probe": probe, "extra": _extra(out),
        "startup_s": at["engine_ready"] - began,
        "work_s": at["last_answer"] - at["engine_ready"],
        "max_rss_mib": probe.get("max_rss_mib", 0.0),
    })  # fmt: skip


def _extra(out: Path) -> dict[str, Any]:
    """Read what a contender wrote about itself."""
    summary = out / "summary.json"
    if summary.exists():
        timing: dict[str, Any] = json.loads(summary.read_text()).get("timing", {})
        return timing
    measured = json.loads(out.read_text()) if out.is_file() else {}
    ours = isinstance(measured, dict) and ("limit_s" in measured or "together_s" in measured)
    return measured if ours else {}
