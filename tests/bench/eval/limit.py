"""The limit of a workload on this machine, measured: decoding alone, and the engine alone.

Decoding alone is every file once, in as many workers as there are processors. The engine alone is
our backend fed from memory, each video encoded once: everything it still does is work that no
overlap can hide. Both are written as JSON.

    python -m tests.bench.eval.limit DATA CHECKPOINT OUT
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from harness.run.config import EvalConfig
from harness.run.plan import Plan
from harness.schema import Clip, Failure, Request
from harness.video.jobs import DecodeJob, decode_job
from harness.video.pool import DecodePool
from tests.bench.eval.probe import Probe, install
from tests.bench.eval.settings import FRAMES, PIXELS

Clips = dict[DecodeJob, tuple[Clip, ...]]


def main() -> int:
    """Measure both parts, decoding first."""
    data, checkpoint, out = sys.argv[1:]
    probe = install()
    from harness.backends.engine_config import EngineConfig
    from harness.backends.select import resolve_engine
    from harness.run.config import available_processors
    from harness.run.plan import (
        make_plan,
    )

    plan = make_plan(
        EvalConfig(
            tasks=("vsibench",),
            data=Path(data),
            protocol="official",
            max_frames=FRAMES,
            max_pixels=PIXELS,
        )
    )
    engine = resolve_engine(checkpoint, EngineConfig(backend="vllm"))
    clips, wall = _decode(plan, engine.patch_multiple, available_processors())
    seconds = sum(clip.decode_s for one in clips.values() for clip in one)
    backend = engine.build()
    began, busy = time.perf_counter(), time.process_time()
    answers = list(backend.generate(_requests(plan, engine.patch_multiple, clips)))
    engine_wall, engine_cpu = time.perf_counter() - began, time.process_time() - busy
    backend.close()
    failed = [answer for _, answer in answers if isinstance(answer, Failure)]
    if failed:
        raise RuntimeError(f"{len(failed)} requests failed; the first: {failed[0]}")
    _write(Path(out), probe, available_processors(), {
        "decode_cpu_s": seconds, "decode_pool_s": wall,
        "engine_s": engine_wall, "engine_cpu_s": engine_cpu,
    })  # fmt: skip
    return 0


def _decode(plan: Plan, patch_multiple: int, workers: int) -> tuple[Clips, float]:
    """Decode every file once with warm workers; the clips and the time it took."""
    jobs = list(dict.fromkeys(_jobs(plan, patch_multiple).values()))
    clips: Clips = {}
    with DecodePool(workers=workers, timeout_s=600.0, max_bytes=1 << 40) as pool:
        # Two jobs each start every worker and let it import what it needs.
        list(pool.decode([jobs[0]] * 2 * workers))
        began = time.perf_counter()
        for job, decoded in pool.decode(jobs):
            if isinstance(decoded, Failure):
                raise RuntimeError(str(decoded))
            clips[job] = decoded
        return clips, time.perf_counter() - began


def _jobs(plan: Plan, patch_multiple: int) -> dict[str, DecodeJob]:
    return {
        sample.id: decode_job(sample.media, planned.frames, patch_multiple=patch_multiple)
        for planned in plan.tasks
        for sample in planned.samples
    }


def _requests(plan: Plan, patch_multiple: int, clips: Clips) -> Iterator[Request]:
    """Ask as the runner does, the questions of a video in a row."""
    jobs = _jobs(plan, patch_multiple)
    for planned in plan.tasks:
        for sample in planned.samples:
            yield Request(
                id=sample.id,
                prompt=planned.prompt(sample),
                sampling=planned.sampling,
                clips=clips[jobs[sample.id]],
            )


def _write(out: Path, probe: Probe, cores: int, measured: dict[str, float]) -> None:
    parts = {name: probe.seconds[name] for name in ("preprocess", "step", "model", "vision")}
    ideal = measured["decode_cpu_s"] / cores
    out.write_text(
        json.dumps({
            **measured, "cores": cores, "engine_parts_s": parts,
            # The limit as the issue defines it, and what two parts can do that share the cores.
            "limit_s": max(ideal, measured["engine_s"]),
            "shared_s": max(
                ideal, measured["engine_s"],
                (measured["decode_cpu_s"] + measured["engine_cpu_s"]) / cores,
            ),
        })
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
