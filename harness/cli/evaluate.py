"""``videor1 eval``: one command from a checkpoint to scores.

The same command resumes: what is finished is kept, what is open or failed is done, and a finished
run is a no-op.
"""

from __future__ import annotations

import gc
import sys
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.backends.select import (
    EngineChoice,
    ResolvedEngine,
    resolve_engine,
)
from harness.cli.budget import FailureBudget, completeness, without_unavailable
from harness.cli.eval_flags import DEFAULT_RUNS, engine_flags, protocol_flags, run_flags
from harness.cli.exits import CommandResult, Exit
from harness.cli.flags import add_data_flag, add_judge_flags, judge_choice, task_list
from harness.run.plan import (
    Choices,
    Plan,
    make_plan,
)
from harness.schema import Variant

if TYPE_CHECKING:
    from rich.console import Console

    from harness.backends.base import Backend
    from harness.run.store import RunWriter
    from harness.run.timing import Timing
    from harness.video.pool import DecodePool

DEFAULT_TASKS = ("videommmu", "vsibench", "mvbench", "tempcompass")


class Eval:
    """The ``eval`` command."""

    help = "evaluate a checkpoint on the benchmarks; the same command resumes"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the flags; defaults come from the frozen choices."""
        parser.add_argument("checkpoint", help="folder, LoRA adapter folder, hub id or served name")
        add_data_flag(parser)
        parser.add_argument(
            "--tasks",
            type=task_list,
            default=DEFAULT_TASKS,
            metavar="A,B",
            help="NAME or NAME:config (default: all four)",
        )
        protocol_flags(parser)
        add_judge_flags(parser)
        engine_flags(parser)
        run_flags(parser)

    def run(self, args: Namespace) -> CommandResult:
        """Evaluate, or with ``--dry-run`` only say what would be done."""
        from rich.console import Console

        console = Console(stderr=True)
        job = _job(args)
        for selection, why in job.plan.unavailable.items():
            console.print(f"{selection} is left out: {why}", style="yellow", markup=False)
        if args.dry_run:
            from harness.cli.dryrun import print_dry_run

            return print_dry_run(Console(), job, args)
        return without_unavailable(job.plan, _evaluate(job, args, console))


@dataclass(frozen=True, slots=True)
class EvalJob:
    """Everything settled before the engine starts."""

    plan: Plan
    engine: ResolvedEngine
    out: Path


def _job(args: Namespace) -> EvalJob:
    choices = Choices(
        suite=args.protocol,
        max_frames=args.max_frames,
        max_pixels=args.max_pixels,
        variant=Variant(args.variant),
        seed=args.seed,
        limit=args.limit,
        judge=judge_choice(args),
        include_path=args.include_path,
    )
    choice = EngineChoice(
        backend=args.backend,
        base_url=args.base_url,
        max_model_len=args.max_model_len,
        video_as_images=args.video_as_images,
        frame_grid=args.frame_grid,
    )
    plan = make_plan(args.tasks, args.data, choices)
    engine = resolve_engine(args.checkpoint, choice)
    out = args.out or DEFAULT_RUNS / "-".join(
        (engine.checkpoint.replace("/", "--"), choices.suite, choices.variant, plan.protocol_hash)
    )
    return EvalJob(plan, engine, out)


def _evaluate(job: EvalJob, args: Namespace, console: Console) -> CommandResult:
    from harness.run.manifest import make_manifest
    from harness.run.media_check import require_media
    from harness.run.store import RunWriter

    if Variant(args.variant) is not Variant.BLIND:
        for warning in require_media(job.plan):
            console.print(f"[yellow]{warning}[/yellow]")
    manifest = make_manifest(
        job.plan,
        model=job.engine.checkpoint,
        checkpoint=job.engine.identity,
        backend=job.engine.backend,
        limit=args.limit,
        argv=sys.argv,
    )
    with RunWriter(job.out, manifest) as run:
        try:
            timing = _run(job, run, args, console)
        except KeyboardInterrupt:
            return CommandResult(
                Exit.INTERRUPTED,
                f"{len(run.finished())} of {len(job.plan.samples)} items are kept in {job.out};"
                " run the same command again to go on",
            )
        return _conclude(job, run, timing, args.max_failures)


def _run(job: EvalJob, run: RunWriter, args: Namespace, console: Console) -> Timing | None:
    """Do the open items, videos being decoded while the engine starts; without any, start none."""
    from harness.cli.progress import RunProgress
    from harness.run.runner import Runner
    from harness.run.timing import Stopwatch

    total = len(job.plan.samples)
    progress = RunProgress(console, total=total, done=len(run.finished()))
    runner = Runner(job.plan, run, progress, patch_multiple=job.engine.patch_multiple)
    if not runner.work:
        return None
    if len(runner.work) < total:
        console.print(f"resuming {job.out}: {total - len(runner.work)} of {total} items are done")
    with _pool(args) as pool:
        watch = Stopwatch()
        runner.prefetch(pool)
        with console.status(f"starting {job.engine.backend}, decoding videos meanwhile"):
            backend = _start(job.engine)
        watch.engine_ready()
        try:
            with progress:
                runner.run(backend, pool)
            return watch.timing(runner.records, pool.counts, backend.stats())
        finally:
            backend.close()


def _start(engine: ResolvedEngine) -> Backend:
    """Build the engine with the garbage collector off, and keep what it made out of its sight.

    The imports leave a million objects that stay until the end; walking through them takes a tenth
    of the start-up, and later a third of a second each time, in the middle of the run.
    """
    gc.disable()
    try:
        return engine.build()
    finally:
        gc.freeze()
        gc.enable()


def _pool(args: Namespace) -> DecodePool:
    from harness.video.cache import FrameCache
    from harness.video.decode import decode
    from harness.video.pool import DecodePool

    cache = args.frame_cache and FrameCache(args.frame_cache, args.frame_cache_size << 30)
    if cache:
        cache.check()
    return DecodePool(
        workers=args.workers,
        timeout_s=args.decode_timeout,
        max_bytes=args.look_ahead << 20,
        decoder=cache or decode,
    )


def _conclude(
    job: EvalJob, run: RunWriter, timing: Timing | None, budget: FailureBudget
) -> CommandResult:
    """Write the summary, print the tables and judge completeness."""
    from rich.console import Console

    from harness.cli.tables import (
        print_failures,
        print_summaries,
        print_timing,
    )
    from harness.run.summary import (
        summarise_run,
        write_results,
    )

    results = summarise_run(job.plan, run.records)
    write_results(job.out, results, run.records, timing)
    console = Console()
    print_summaries(console, results.tasks)
    print_failures(console, run.records.values())
    if timing is not None:
        print_timing(console, timing)
    return completeness(results, job.out, budget)
