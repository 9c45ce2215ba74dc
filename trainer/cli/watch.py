"""``videor1 watch``: evaluate the checkpoints of a training run while it trains."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.exits import CommandResult, Exit

if TYPE_CHECKING:
    from rich.console import Console

    from trainer.watch.evaluations import Look
    from trainer.watch.watcher import Watcher

_PLOT = "timeline.png"


class Watch:
    """The ``watch`` command."""

    help = "evaluate every checkpoint of a training run as it is saved; the same command resumes"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the run, the settings and where the results go."""
        parser.add_argument("run", type=Path, metavar="DIR", help="folder of the training run")
        parser.add_argument(
            "--config",
            required=True,
            metavar="FILE.toml",
            help="what to evaluate and how to judge, or a shipped name: paper, tiny",
        )
        parser.add_argument(
            "--set", action="append", default=[], metavar="SECTION.FIELD=VALUE", help="change it"
        )
        parser.add_argument(
            "--out", type=Path, metavar="OUT", help="results (default: results/runs/watch-NAME)"
        )
        parser.add_argument(
            "--once", action="store_true", help="evaluate what is there and do not wait for more"
        )

    def run(self, args: Namespace) -> CommandResult:
        """Watch until the training is over; the last look's verdict is the exit code."""
        from rich.console import Console

        from harness.files import locked
        from trainer.runs.folder import RUNS
        from trainer.watch.settings import (
            keep,
            read_watch_settings,
        )
        from trainer.watch.watcher import (
            Watcher,
            in_its_own_process,
        )

        console = Console()
        settings = read_watch_settings(args.config, args.set)
        out = args.out or RUNS / f"watch-{args.run.resolve().name}"
        with locked(out):
            keep(out, settings, args.run)
            watcher = Watcher(
                args.run,
                out,
                settings,
                in_its_own_process(settings.slice, out),
                lambda look: _show(console, out, args.run, look),
            )
            try:
                watcher.watch(once=args.once)
            except KeyboardInterrupt:
                return CommandResult(
                    Exit.INTERRUPTED, f"what is in {out} is kept; run the same command to go on"
                )
            return _conclude(console, out, args.run, watcher)


def _show(console: Console, out: Path, run: Path, look: Look) -> None:
    """Print the timeline so far and draw it anew."""
    from trainer.watch.timeline import (
        plot,
        print_timeline,
        read_timeline,
    )

    timeline = read_timeline(out, run)
    print_timeline(console, timeline)
    if look.reason:
        console.print(f"step {look.step}: {look.reason}", markup=False, soft_wrap=True)
    if find_spec("matplotlib") is not None:
        plot([timeline], out / _PLOT)


def _conclude(console: Console, out: Path, run: Path, watcher: Watcher) -> CommandResult:
    from harness.cli.gate import exit_of
    from harness.gate.verdict import Verdict
    from trainer.runs.checkpoints import unfinished_checkpoints
    from trainer.runs.folder import STOP
    from trainer.watch.evaluations import read_looks

    for folder, lack in unfinished_checkpoints(run).items():
        console.print(f"{folder} is not whole: {lack}", style="yellow", markup=False)
    for reason in watcher.failures.values():
        console.print(f"not evaluated: {reason}", style="red", markup=False, soft_wrap=True)
    looks = read_looks(out)
    where = f"{len(looks)} checkpoints evaluated in {out}"
    judged = [look for look in looks if look.judgement]
    if watcher.interrupted:
        newest = f"step {judged[-1].step} {judged[-1].judgement}; " if judged else ""
        return CommandResult(Exit.INCOMPLETE, f"{_interruption(run)}; {newest}{where}")
    if watcher.failures:
        return CommandResult(
            Exit.INCOMPLETE, f"{len(watcher.failures)} could not be evaluated; {where}"
        )
    if not judged:
        return CommandResult(Exit.OK, f"{where}, none judged yet")
    worse = [look for look in judged if look.judgement == Verdict.REGRESSION]
    last = worse[0] if worse and (run / STOP).exists() else judged[-1]
    code = exit_of(Verdict(str(last.judgement)))
    return CommandResult(code, f"step {last.step} {last.judgement}, {last.reason}; {where}")


def _interruption(run: Path) -> str:
    from trainer.runs.checkpoints import saved_checkpoints

    saved = saved_checkpoints(run)
    got = f"step {saved[-1].step} of {saved[-1].max_steps}" if saved else "no checkpoint"
    return (
        f"the training in {run} is not running and has saved {got}; once it runs again the same"
        " command goes on"
    )
