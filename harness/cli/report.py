"""``videor1 report``: a folder of pages with scores and every item with its frames."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.exits import CommandResult, Exit
from harness.cli.flags import add_option_flags, read_option_flags
from harness.report.config import ReportConfig

if TYPE_CHECKING:
    from harness.report.build import Built


class ReportCommand:
    """The ``report`` command."""

    help = "write pages that show runs item by item, with the frames the model saw"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the runs, the folder and what to show."""
        parser.add_argument(
            "runs",
            nargs="+",
            type=Path,
            metavar="RUN",
            help="run directories, or a folder of runs as `probe` and `watch` write it; the others"
            " are compared with the first",
        )
        parser.add_argument(
            "-o",
            "--out",
            type=Path,
            required=True,
            metavar="FOLDER",
            help="folder of the report; open the index.html in it",
        )
        add_option_flags(parser, ReportConfig, title="frames")

    def run(self, args: Namespace) -> CommandResult:
        """Build the report and say what it holds and what it lacks."""
        from harness.report.build import build_report
        from harness.text.console import make_console

        config = read_option_flags(args, ReportConfig())
        status = make_console(stderr=True)
        with status.status("starting") as spinner:
            built = build_report(args.runs, args.out, config, say=spinner.update)
        console = make_console()
        for line in _list_remarks(built):
            console.print(line, soft_wrap=True)
        return CommandResult(Exit.OK, _summarise(built))


def _list_remarks(built: Built) -> list[str]:
    overview = built.overview
    lines = [f"note: {note}" for note in overview.notes]
    for problem, count in overview.frame_problems:
        videos = "1 video has" if count == 1 else f"{count} videos have"
        lines.append(f"{videos} no frames: {problem}")
    return lines


def _summarise(built: Built) -> str:
    overview = built.overview
    runs = "1 run" if len(overview.runs) == 1 else f"{len(overview.runs)} runs"
    frames = f"frames of {overview.framed} videos ({built.frame_bytes / 1e6:.1f} MB)"
    return f"{runs}, {overview.items} items, {frames}: open {built.page}"
