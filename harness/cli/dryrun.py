"""``videor1 eval --dry-run``: everything a run would use, before anything is spent on it."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from typing import TYPE_CHECKING

from harness.cli.exits import Exit, Verdict
from harness.datacheck import missing_media
from harness.plan import Plan
from harness.schema import Failure
from harness.video.pool import DecodeJob, DecodePool, decode_job

if TYPE_CHECKING:
    from rich.console import Console

    from harness.cli.evaluate import EvalJob

_PROBES_PER_TASK = 2


def print_dry_run(console: Console, job: EvalJob, args: Namespace) -> Verdict:
    """Print the plan; missing media make it exit 4, as they would stop the run."""
    console.print(f"[bold]checkpoint[/bold] {job.engine.checkpoint}, backend {job.engine.backend}")
    console.print(f"[bold]run directory[/bold] {job.out}")
    for planned in job.plan.tasks:
        console.print(f"[bold]{planned.selection}[/bold], protocol {planned.protocol.hash}")
        for name, value in asdict(planned.protocol).items():
            console.print(f"  {name}: {value}", highlight=False)
        media = {sample.media for sample in planned.samples}
        console.print(f"  items: {len(planned.samples)}, videos: {len(media)}")
    missing = missing_media(job.plan.samples)
    if missing:
        for path in missing[:10]:
            console.print(f"[red]missing[/red] {path}")
        return Verdict(Exit.INCOMPLETE, f"{len(missing)} media files are missing")
    console.print(_decode_estimate(job.plan, args, job.engine.grid))
    return Verdict(Exit.OK, f"{len(job.plan.samples)} items are ready; nothing was run")


def _decode_estimate(plan: Plan, args: Namespace, grid: int) -> str:
    """Decode a few clips and scale their time up to all clips and down by the workers."""
    probes: list[DecodeJob] = []
    total = 0
    for planned in plan.tasks:
        clips = {sample.media: None for sample in planned.samples if sample.media}
        jobs = list(dict.fromkeys(decode_job(media, planned.frames, grid=grid) for media in clips))
        total += len(jobs)
        probes += jobs[:: max(1, len(jobs) // _PROBES_PER_TASK)][:_PROBES_PER_TASK]
    if not probes:
        return "no media to decode"
    with DecodePool(workers=1, timeout_s=args.decode_timeout, max_bytes=1 << 30) as pool:
        results = [decoded for _, decoded in pool.decode(probes)]
    times = [sum(clip.decode_s for clip in d) for d in results if not isinstance(d, Failure)]
    if not times:
        return f"none of {len(probes)} probed videos could be decoded; run `videor1 data check`"
    each = sum(times) / len(times)
    minutes = each * total / args.workers / 60
    return (
        f"decoding {total} clips: about {minutes:.1f} min with {args.workers} workers"
        f" ({each:.2f} s each, measured on {len(times)})"
    )
