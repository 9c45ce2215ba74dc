"""``videor1 eval``: one command from a checkpoint to scores.

The same command resumes: what is finished is kept, what is open or failed is done, and a finished
run is a no-op.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.budget import FailureBudget, completeness
from harness.cli.exits import Exit, Verdict
from harness.cli.flags import (
    add_data_flag,
    add_judge_flags,
    count,
    default_workers,
    judge_choice,
    seconds,
    task_list,
)
from harness.engines import BACKENDS, Engine, EngineChoice, choose
from harness.plan import Choices, Plan, make_plan
from harness.schema import Variant

if TYPE_CHECKING:
    from rich.console import Console

    from harness.store import RunWriter

DEFAULT_TASKS = ("videommmu", "vsibench", "mvbench", "tempcompass")
DEFAULT_RUNS = Path("results/runs")


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
        _protocol_flags(parser)
        add_judge_flags(parser)
        _engine_flags(parser)
        _run_flags(parser)

    def run(self, args: Namespace) -> Verdict:
        """Evaluate, or with ``--dry-run`` only say what would be done."""
        from rich.console import Console

        console = Console(stderr=True)
        job = _job(args)
        if args.dry_run:
            from harness.cli.dryrun import print_dry_run

            return print_dry_run(Console(), job, args)
        return _evaluate(job, args, console)


@dataclass(frozen=True, slots=True)
class EvalJob:
    """Everything settled before the engine starts."""

    plan: Plan
    engine: Engine
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
    )
    choice = EngineChoice(
        backend=args.backend,
        base_url=args.base_url,
        max_model_len=args.max_model_len,
        video_as_images=args.video_as_images,
        frame_grid=args.frame_grid,
    )
    plan = make_plan(args.tasks, args.data, choices)
    engine = choose(args.checkpoint, choice)
    out = args.out or DEFAULT_RUNS / "-".join(
        (engine.checkpoint.replace("/", "--"), choices.suite, choices.variant, plan.protocol_hash)
    )
    return EvalJob(plan, engine, out)


def _evaluate(job: EvalJob, args: Namespace, console: Console) -> Verdict:
    from harness.datacheck import require_media
    from harness.manifest import make_manifest
    from harness.store import RunWriter

    if Variant(args.variant) is not Variant.BLIND:
        for warning in require_media(job.plan):
            console.print(f"[yellow]{warning}[/yellow]")
    manifest = make_manifest(
        job.plan,
        checkpoint=job.engine.identity,
        backend=job.engine.backend,
        limit=args.limit,
        argv=sys.argv,
    )
    with RunWriter(job.out, manifest) as run:
        try:
            _run(job, run, args, console)
        except KeyboardInterrupt:
            return Verdict(
                Exit.INTERRUPTED,
                f"{len(run.finished())} of {len(job.plan.samples)} items are kept in {job.out};"
                " run the same command again to go on",
            )
        return _conclude(job, run, args.max_failures)


def _run(job: EvalJob, run: RunWriter, args: Namespace, console: Console) -> None:
    """Do the open items; without any, no engine is started."""
    from harness.cli.progress import RunProgress
    from harness.runner import Runner
    from harness.video.pool import DecodePool

    total = len(job.plan.samples)
    progress = RunProgress(console, total=total, done=len(run.finished()))
    runner = Runner(job.plan, run, progress, grid=job.engine.grid)
    if not runner.work:
        return
    if len(runner.work) < total:
        console.print(f"resuming {job.out}: {total - len(runner.work)} of {total} items are done")
    backend = job.engine.build()
    try:
        pool = DecodePool(
            workers=args.workers, timeout_s=args.decode_timeout, max_bytes=args.look_ahead << 20
        )
        with pool, progress:
            runner.run(backend, pool)
    finally:
        backend.close()


def _conclude(job: EvalJob, run: RunWriter, budget: FailureBudget) -> Verdict:
    """Write the summary, print the tables and judge completeness."""
    from rich.console import Console

    from harness.results import summarise_run, write_results
    from harness.tables import print_failures, print_summaries

    results = summarise_run(job.plan, run.records)
    write_results(job.out, results, run.records)
    console = Console()
    print_summaries(console, results.tasks)
    print_failures(console, run.records.values())
    return completeness(results, job.out, budget)


def _protocol_flags(parser: ArgumentParser) -> None:
    preset = Choices()
    group = parser.add_argument_group("protocol")
    group.add_argument("--protocol", choices=("video-r1", "official"), default=preset.suite)
    group.add_argument(
        "--max-frames",
        type=count,
        metavar="N",
        help="frames per video at most (default: the preset's)",
    )
    group.add_argument(
        "--max-pixels",
        type=count,
        metavar="N",
        help="pixels per frame at most (default: the preset's)",
    )
    group.add_argument("--variant", choices=[v.value for v in Variant], default=preset.variant)
    group.add_argument("--seed", type=int, default=preset.seed, metavar="N")
    group.add_argument(
        "--limit", type=count, metavar="N", help="items per task, evenly spaced through it"
    )


def _engine_flags(parser: ArgumentParser) -> None:
    preset = EngineChoice()
    group = parser.add_argument_group("engine")
    group.add_argument("--backend", choices=BACKENDS, default=preset.backend)
    group.add_argument("--base-url", metavar="URL", help="OpenAI-compatible server, with /v1")
    group.add_argument(
        "--max-model-len",
        type=count,
        default=preset.max_model_len,
        metavar="N",
        help="tokens of prompt and answer (default: %(default)s)",
    )
    group.add_argument(
        "--video-as-images", action="store_true", help="for a server that knows no video"
    )
    group.add_argument(
        "--frame-grid",
        type=count,
        default=preset.frame_grid,
        metavar="N",
        help="frame sides at a served model are multiples of it (default: %(default)s)",
    )


def _run_flags(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("run")
    group.add_argument(
        "--out",
        type=Path,
        metavar="RUNDIR",
        help=f"run directory (default: one per protocol under {DEFAULT_RUNS})",
    )
    group.add_argument(
        "--max-failures",
        type=FailureBudget.parse,
        default=FailureBudget(),
        metavar="N|P%",
        help="failed items accepted (default: 0)",
    )
    group.add_argument(
        "--workers",
        type=count,
        default=default_workers(),
        metavar="N",
        help="decode processes (default: %(default)s)",
    )
    group.add_argument(
        "--decode-timeout",
        type=seconds,
        default=120.0,
        metavar="S",
        help="seconds one file may take (default: %(default)s)",
    )
    group.add_argument(
        "--look-ahead",
        type=count,
        default=1024,
        metavar="MIB",
        help="decoded frames kept ready (default: %(default)s MiB)",
    )
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="show protocol, items, videos and what is missing; run nothing",
    )
