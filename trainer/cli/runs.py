"""``videor1 train show`` and ``timeline``: print completions and metrics of training runs."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction
from pathlib import Path

from harness.cli.exits import CommandResult, Exit
from harness.cli.flags import count


def add_run_actions(actions: _SubParsersAction[ArgumentParser]) -> None:
    """Declare the actions ``show`` and ``timeline``."""
    text = "show prompts, answers and rewards of a run; with --html also curves, times and frames"
    show = actions.add_parser("show", help=text, description=text, allow_abbrev=False)
    show.add_argument("run", type=Path, metavar="RUN", help="folder of a training run")
    show.add_argument("--step", type=int, metavar="N", help="training step (default: the last one)")
    show.add_argument("--id", metavar="ID", help="only this row")
    show.add_argument(
        "--limit", type=count, default=3, metavar="N", help="prompts shown (default: %(default)s)"
    )
    show.add_argument(
        "--html", type=Path, metavar="DIR", help="write pages into this folder instead of printing"
    )
    show.add_argument(
        "--pages",
        type=count,
        default=40,
        metavar="N",
        help="steps that the pages show, evenly spaced (default: %(default)s)",
    )
    show.set_defaults(action=_show_completions)
    text = "print and plot scores of watched checkpoints, reward and temporal gap of runs"
    timeline = actions.add_parser("timeline", help=text, description=text, allow_abbrev=False)
    timeline.add_argument(
        "runs",
        type=Path,
        nargs="+",
        metavar="RUN",
        help="folders of `videor1 watch`, or training runs without a watch",
    )
    timeline.add_argument(
        "-o", "--out", type=Path, metavar="FILE.png", help="all of them in one plot"
    )
    timeline.set_defaults(action=_show_timeline)


def _show_completions(args: Namespace) -> CommandResult:
    from harness.text.console import make_console
    from trainer.runs.completions_view import print_completions

    if args.html:
        return _write_pages(args)
    shown = print_completions(
        make_console(), args.run, step=args.step, row_id=args.id, limit=args.limit
    )
    return CommandResult(Exit.OK, shown)


def _write_pages(args: Namespace) -> CommandResult:
    from harness.run.config import available_processors
    from harness.text.console import make_console
    from trainer.pages.run_page import Shown, write_run_pages

    shown = Shown(steps=args.pages, step=args.step, row_id=args.id, workers=available_processors())
    with make_console(stderr=True).status("starting") as spinner:
        page = write_run_pages(args.run, args.html, shown, say=spinner.update)
    return CommandResult(Exit.OK, f"open {page}")


def _show_timeline(args: Namespace) -> CommandResult:
    from harness.text.console import make_console
    from trainer.runs.folder import MANIFEST
    from trainer.watch.settings import watched_run
    from trainer.watch.timeline import read_timeline
    from trainer.watch.timeline_view import plot, print_timeline

    timelines = [
        read_timeline(folder, folder if (folder / MANIFEST).exists() else watched_run(folder))
        for folder in args.runs
    ]
    for timeline in timelines:
        print_timeline(make_console(), timeline)
    if args.out:
        plot(timelines, args.out)
    where = f", plotted in {args.out}" if args.out else ""
    return CommandResult(Exit.OK, f"{len(timelines)} timelines{where}")
