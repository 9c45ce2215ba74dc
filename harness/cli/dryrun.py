"""``videor1 eval --dry-run``: everything a run would use, before anything is spent on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from harness.cli.exits import CommandResult, Exit
from harness.run.config import DecodeConfig
from harness.run.media_check import check_media
from harness.run.plan import Plan
from harness.schema import Failure
from harness.video.jobs import DecodeJob, decode_job
from harness.video.pool import DecodePool

if TYPE_CHECKING:
    from rich.console import Console

    from harness.run.evaluate import EvalJob

_PROBES_PER_TASK = 2


def print_dry_run(console: Console, job: EvalJob) -> CommandResult:
    """Print the plan; what would stop the run raises, such as missing media or a broken engine."""
    from harness.text.console import styled

    engine = job.engine
    console.print(styled(("checkpoint", "bold"), f" {engine.checkpoint}, backend {engine.backend}"))
    console.print(styled(("run directory", "bold"), f" {job.out}"))
    for planned in job.plan.tasks:
        console.print(styled((planned.selection, "bold"), f", protocol {planned.protocol.hash}"))
        for line in _lines(asdict(planned.protocol)):
            console.print(f"  {line}")
        media = {sample.media for sample in planned.samples}
        console.print(f"  items: {len(planned.samples)}, videos: {len(media)}")
    warnings, _ = check_media(job.plan, allow_missing=job.config.allow_missing)
    for warning in warnings:
        console.print(warning, style="yellow")
    engine.check()
    console.print(_decode_estimate(job.plan, job.config.decode, job.engine.patch_multiple))
    return CommandResult(Exit.OK, f"{len(job.plan.samples)} items are ready; nothing was run")


def _lines(fields: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Write nested fields as ``frames.max_frames: 16`` lines, the names that `diff` uses too."""
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from _lines(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}: {value}"


def _decode_estimate(plan: Plan, decoding: DecodeConfig, patch_multiple: int) -> str:
    """Decode a few clips and scale their time up to all clips and down by the workers."""
    probes: list[DecodeJob] = []
    total = 0
    for planned in plan.tasks:
        clips = {sample.media: None for sample in planned.samples if sample.media}
        jobs = list(
            dict.fromkeys(
                decode_job(media, planned.frames, patch_multiple=patch_multiple) for media in clips
            )
        )
        total += len(jobs)
        probes += jobs[:: max(1, len(jobs) // _PROBES_PER_TASK)][:_PROBES_PER_TASK]
    if not probes:
        return "no media to decode"
    with DecodePool(workers=1, timeout_s=decoding.decode_timeout, max_bytes=1 << 30) as pool:
        times = []
        for job, decoded in pool.decode(probes):
            pool.release(job)
            if not isinstance(decoded, Failure):
                times.append(sum(clip.decode_s for clip in decoded))
    if not times:
        return f"none of {len(probes)} probed videos could be decoded; run `videor1 data check`"
    each = sum(times) / len(times)
    whole = timedelta(seconds=round(each * total / decoding.workers))
    return (
        f"decoding {total} clips: about {whole} with {decoding.workers} workers"
        f" ({each:.2f} s each, measured on {len(times)})"
    )
