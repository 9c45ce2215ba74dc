"""``videor1 watch``: evaluate the checkpoints of a training run while it trains."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.backends.engine_config import EngineConfig
from harness.cli.exits import CommandResult, Exit
from harness.cli.flags import add_option_flags, read_option_flags
from harness.plugins import is_installed
from harness.run.config import TrackConfig
from harness.run.options import options_of

if TYPE_CHECKING:
    from rich.console import Console

    from trainer.watch.evaluations import EvalPoint
    from trainer.watch.settings import WatchSettings
    from trainer.watch.watcher import Watcher

_PLOT = "timeline.png"


class WatchCommand:
    """The ``watch`` command: evaluates the checkpoints of a training run as they are saved."""

    help = "evaluate every checkpoint of a training run as it is saved; the same command resumes"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the flags: training run, settings and folder of the results."""
        parser.add_argument("run", type=Path, metavar="DIR", help="folder of the training run")
        parser.add_argument(
            "--config",
            required=True,
            metavar="FILE.toml",
            help="settings: what to evaluate, when a checkpoint is worse; or a preset: paper, tiny",
        )
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="SECTION.FIELD=VALUE",
            help="change one value of the settings; may be repeated",
        )
        parser.add_argument(
            "--out",
            type=Path,
            metavar="DIR",
            help="folder of the results (default: results/runs/watch-NAME)",
        )
        parser.add_argument(
            "--once",
            action="store_true",
            help="evaluate the checkpoints that exist now and do not wait for more",
        )
        add_option_flags(
            parser, EngineConfig, only=_engine_flags(), title="engine (as for videor1 eval)"
        )
        add_option_flags(parser, TrackConfig)

    def run(self, args: Namespace) -> CommandResult:
        """Watch until the training is over; the exit code is the last verdict's."""
        from harness.files import locked
        from harness.run.tracking import track
        from harness.text.console import make_console
        from harness.trackers.choose import require_trackers
        from trainer.runs.folder import RUNS
        from trainer.watch.settings import claim_watch, describe_watch, read_watch_settings
        from trainer.watch.tracked import report_point

        console = make_console()
        settings = read_watch_settings(args.config, args.set)
        settings = replace(
            settings,
            engine=read_option_flags(args, settings.engine),
            track=read_option_flags(args, settings.track),
        )
        require_trackers(settings.track.report_to)
        out = args.out or RUNS / f"watch-{args.run.resolve().name}"
        with locked(out):
            claim_watch(out, settings, args.run)
            with track(settings.track, describe_watch(settings, args.run), out) as trackers:

                def tell(point: EvalPoint) -> None:
                    report_point(trackers, point, out, settings.track.track_items)
                    _show_timeline(console, out, args.run, point)

                result = _watch(args, console, settings, out, tell)
            for problem in trackers.problems:
                make_console(stderr=True).print(problem, style="yellow", soft_wrap=True)
            return result


def _engine_flags() -> list[str]:
    """Name the engine settings that a watch takes."""
    from trainer.watch.settings import NOT_FOR_WATCHES

    return [o.name for o in options_of(EngineConfig) if o.name not in NOT_FOR_WATCHES]


def _watch(
    args: Namespace,
    console: Console,
    settings: WatchSettings,
    out: Path,
    tell: Callable[[EvalPoint], None],
) -> CommandResult:
    """Evaluate checkpoints until the training is over; return how the command ends."""
    from trainer.watch.watcher import Watcher, evaluate_in_process

    watcher = Watcher(
        args.run, out, settings, evaluate_in_process(settings.slice, out, settings.engine), tell
    )
    try:
        watcher.watch(once=args.once)
    except KeyboardInterrupt:
        return CommandResult(
            Exit.INTERRUPTED,
            f"the results in {out} are kept; run the same command to resume",
        )
    return _conclude(console, out, args.run, watcher)


def _show_timeline(console: Console, out: Path, run: Path, point: EvalPoint) -> None:
    """Print and plot the timeline with the newest evaluated checkpoint."""
    from trainer.watch.timeline import read_timeline
    from trainer.watch.timeline_view import plot, print_timeline

    timeline = read_timeline(out, run)
    print_timeline(console, timeline)
    if point.reason:
        console.print(f"step {point.step}: {point.reason}", soft_wrap=True)
    if is_installed("matplotlib"):
        plot([timeline], out / _PLOT)


def _conclude(console: Console, out: Path, run: Path, watcher: Watcher) -> CommandResult:
    """Print what could not be evaluated; return the result of the command."""
    from harness.cli.gate import exit_of
    from harness.gate.result import Verdict
    from trainer.runs.checkpoints import incomplete_checkpoints
    from trainer.runs.folder import STOP
    from trainer.watch.evaluations import read_points

    for folder, lack in incomplete_checkpoints(run).items():
        console.print(f"{folder} is incomplete: {lack}", style="yellow")
    for reason in watcher.failures.values():
        console.print(f"not evaluated: {reason}", style="red", soft_wrap=True)
    points = read_points(out)
    where = f"{len(points)} checkpoints evaluated in {out}"
    compared = [point for point in points if point.verdict]
    if watcher.interrupted:
        newest = f"step {compared[-1].step} {compared[-1].verdict}; " if compared else ""
        return CommandResult(Exit.INCOMPLETE, f"{_describe_interruption(run)}; {newest}{where}")
    if watcher.failures:
        return CommandResult(
            Exit.INCOMPLETE,
            f"{len(watcher.failures)} checkpoints could not be evaluated; {where}",
        )
    if not compared:
        return CommandResult(Exit.OK, f"{where}, none compared with the start yet")
    worse = [point for point in compared if point.verdict == Verdict.REGRESSION]
    last = worse[0] if worse and (run / STOP).exists() else compared[-1]
    code = exit_of(Verdict(str(last.verdict)))
    return CommandResult(code, f"step {last.step} {last.verdict}, {last.reason}; {where}")


def _describe_interruption(run: Path) -> str:
    from trainer.runs.checkpoints import saved_checkpoints

    saved = saved_checkpoints(run)
    got = f"step {saved[-1].step} of {saved[-1].max_steps}" if saved else "no checkpoint"
    return (
        f"the training in {run} is not running and has saved {got}; start it again, then run the"
        " same command to resume"
    )
