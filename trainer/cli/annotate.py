"""``videor1 annotate``: rationales for rows, from any checkpoint, fit for supervised training.

What the model wrote is kept in a run directory beside the output (``OUT.run``); the same command
goes on with it.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.backends.select import (
    BACKENDS,
    EngineChoice,
    ResolvedEngine,
    resolve_engine,
)
from harness.cli.budget import FailureBudget
from harness.cli.exits import CommandResult, Exit
from harness.cli.flags import count, default_workers
from harness.errors import UsageError
from trainer.config.choices import (
    MediaCheck,
    OnBadRow,
)
from trainer.config.sections import (
    AnnotationSettings,
    DataSettings,
    FrameSettings,
)

if TYPE_CHECKING:
    from rich.console import Console

    from harness.run.plan import Plan
    from harness.run.store import RunWriter
    from harness.schema import Kind
    from trainer.data.annotate import Tally
    from trainer.data.rows import TrainingRow

_DECODE_TIMEOUT_S = 120.0
_LOOK_AHEAD_BYTES = 1 << 30


class Annotate:
    """The ``annotate`` command."""

    help = "have a checkpoint write rationales for training rows; the same command resumes"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare rows, checkpoint, output, and what is asked of the model."""
        parser.add_argument(
            "--rows", type=Path, nargs="+", required=True, metavar="FILE", help=".json or .jsonl"
        )
        parser.add_argument(
            "--media-root",
            type=Path,
            nargs="+",
            required=True,
            metavar="DIR",
            help="folders that the rows' paths are looked for in",
        )
        parser.add_argument("--checkpoint", required=True, help="as for `videor1 eval`")
        parser.add_argument(
            "--out", type=Path, required=True, metavar="FILE", help=".json or .jsonl, the kept rows"
        )
        parser.add_argument(
            "--exclude-bad-rows", action="store_true", help="leave malformed rows out"
        )
        parser.add_argument("--limit", type=count, metavar="N", help="rows, evenly spaced")
        parser.add_argument(
            "--min-reward",
            type=_share,
            default=AnnotationSettings().min_reward,
            metavar="R",
            help="keep answers whose reward is above it (default: %(default)s)",
        )
        _engine_flags(parser)

    def run(self, args: Namespace) -> CommandResult:
        """Annotate, and write what is worth keeping."""
        from rich.console import Console

        return annotate_rows(
            args, Console(stderr=True), resolve_engine(args.checkpoint, _choice(args))
        )


def annotate_rows(args: Namespace, console: Console, engine: ResolvedEngine) -> CommandResult:
    """Answer what is still open with `engine`, then write the kept rows and count them."""
    from harness.run.manifest import make_manifest
    from harness.run.store import RunWriter
    from trainer.data.annotate import make_plan
    from trainer.rewards.rewards import require

    folder = args.out.with_name(f"{args.out.name}.run")
    if args.out.exists() and not folder.exists():
        raise UsageError(f"{args.out} exists and is not of this command; choose another --out")
    rows = _rows(args, engine.patch_multiple)
    require({row.sample.kind for row in rows})
    preset = FrameSettings()
    frames = replace(
        preset,
        max_frames=args.max_frames or preset.max_frames,
        min_frames=min(preset.min_frames, args.max_frames or preset.min_frames),
    )
    sampling = AnnotationSettings(seed=args.seed).sampling
    plan = make_plan(rows, args.rows, frames, sampling)
    manifest = make_manifest(
        plan,
        model=engine.checkpoint,
        checkpoint=engine.identity,
        backend=engine.backend,
        limit=args.limit,
        argv=sys.argv,
    )
    with RunWriter(folder, manifest) as run:
        try:
            _answer(plan, engine, run, args, console)
        except KeyboardInterrupt:
            return CommandResult(
                Exit.INTERRUPTED,
                f"{len(run.finished())} of {len(rows)} rows are kept in {run.folder};"
                " run the same command again to go on",
            )
        return _conclude(args, rows, run)


def _rows(args: Namespace, patch_multiple: int) -> Sequence[TrainingRow]:
    from trainer.data.checks import check_rows

    data = DataSettings(
        rows=tuple(args.rows),
        media_roots=tuple(args.media_root),
        limit=args.limit,
        check=MediaCheck.EXISTS,  # a damaged file becomes a failed item
    )
    report = check_rows(data, FrameSettings(), patch_multiple=patch_multiple, rationale=False)
    return report.require(OnBadRow.EXCLUDE if args.exclude_bad_rows else OnBadRow.STOP)


def _answer(
    plan: Plan, engine: ResolvedEngine, run: RunWriter, args: Namespace, console: Console
) -> None:
    """Ask what is open; without any, no engine is started."""
    from harness.cli.progress import RunProgress
    from harness.run.runner import Runner
    from harness.video.pool import DecodePool

    progress = RunProgress(console, total=len(plan.samples), done=len(run.finished()))
    runner = Runner(plan, run, progress, patch_multiple=engine.patch_multiple)
    if not runner.work:
        return
    backend = engine.build()
    try:
        pool = DecodePool(
            workers=args.workers, timeout_s=_DECODE_TIMEOUT_S, max_bytes=_LOOK_AHEAD_BYTES
        )
        with pool, progress:
            runner.run(backend, pool)
    finally:
        backend.close()


def _conclude(args: Namespace, rows: Sequence[TrainingRow], run: RunWriter) -> CommandResult:
    """Write the kept rows, print the share kept per problem type, and judge completeness."""
    from rich.console import Console

    from harness.cli.tables import print_failures
    from trainer.data.annotate import (
        tally,
        write_annotated,
    )

    write_annotated(args.out, rows, run.records, args.rows, args.min_reward)
    counts = tally(rows, run.records, args.min_reward)
    console = Console()
    _print_tally(console, counts)
    print_failures(console, run.records.values())
    kept, failed = (sum(getattr(c, name) for c in counts.values()) for name in ("kept", "failed"))
    if not args.max_failures.allows(failed, len(rows)):
        return CommandResult(
            Exit.INCOMPLETE,
            f"{failed} of {len(rows)} rows failed, more than --max-failures {args.max_failures};"
            f" the same command tries them again; {kept} kept rows are in {args.out}",
        )
    return CommandResult(Exit.OK, f"{kept} of {len(rows)} rows kept in {args.out}")


def _print_tally(console: Console, counts: Mapping[Kind, Tally]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("problem type", style="bold", no_wrap=True)
    for heading in ("rows", "kept", "share kept", "reward too low", "no rationale", "failed"):
        table.add_column(heading, justify="right")
    for kind, one in counts.items():
        figures = (one.below, one.no_rationale, one.failed)
        share = f"{one.kept / one.rows:.1%}"
        table.add_row(kind, str(one.rows), str(one.kept), share, *map(str, figures))
    console.print(table)


def _engine_flags(parser: ArgumentParser) -> None:
    preset, frames = EngineChoice(), FrameSettings()
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
        "--max-frames",
        type=count,
        metavar="N",
        help=f"frames per video at most (default: {frames.max_frames})",
    )
    group.add_argument("--seed", type=int, default=AnnotationSettings().seed, metavar="N")
    group.add_argument(
        "--workers", type=count, default=default_workers(), metavar="N", help="decode processes"
    )
    group.add_argument(
        "--max-failures",
        type=FailureBudget.parse,
        default=FailureBudget(),
        metavar="N|P%",
        help="failed rows accepted (default: 0)",
    )


def _choice(args: Namespace) -> EngineChoice:
    return EngineChoice(
        backend=args.backend, base_url=args.base_url, max_model_len=args.max_model_len
    )


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise ArgumentTypeError(f"expected a number from 0 to below 1, got {text!r}")
    return value
