"""``videor1 board``: runs side by side, with the ranks that the data allow.

One row per checkpoint and protocol. Rows under different protocols stand in blocks of their own;
rows on other data, with missing or failed items are listed below with the reason.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.exits import CommandResult, Exit
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.board.entry import Entry
    from harness.board.figures import Column
    from harness.board.published import PublishedScore
    from harness.board.rows import Board
    from harness.board.table import MakeLink

FORMATS = ("text", "md", "latex", "csv", "html", "json", "eval-results")
ALL = ""
"""Value of ``--published`` without one: every published row."""


class BoardCommand:
    """The ``board`` command."""

    help = "put runs into one table: scores, intervals, rank ranges"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the runs, the format and what to show."""
        parser.add_argument(
            "runs",
            nargs="+",
            type=Path,
            metavar="RUNDIR",
            help="run directories, or folders that hold some",
        )
        parser.add_argument(
            "--format",
            choices=FORMATS,
            default=FORMATS[0],
            help="eval-results is Hugging Face's YAML for one run (default: %(default)s)",
        )
        parser.add_argument(
            "-o", "--out", type=Path, metavar="FILE", help="write to FILE instead of printing"
        )
        parser.add_argument(
            "--name",
            action="append",
            default=[],
            metavar="RUN=LABEL",
            help="name of a run in the table; RUN is its folder, or its model",
        )
        parser.add_argument("--by", action="store_true", help="add a breakdown by category")
        parser.add_argument(
            "--scorers",
            action="store_true",
            help="also show the scores that `videor1 rescore` left in the runs, as columns",
        )
        parser.add_argument(
            "--probes",
            action="store_true",
            help="show folders of `videor1 probe` as rows of their ordered variant, with temporal"
            " gain, blind score and option agreement as columns",
        )
        parser.add_argument(
            "--published",
            nargs="?",
            const=ALL,
            metavar="MODEL[@FRAMES],..|FILE.csv",
            help="also show published scores, marked as such: those of models whose names have this"
            " part, or all rows of your own file (default: all that come with the program)",
        )
        parser.add_argument(
            "--chart",
            type=Path,
            metavar="FILE",
            help="also draw the scores with their intervals (.png, .svg or .pdf)",
        )

        parser.add_argument(
            "--report",
            type=Path,
            metavar="FOLDER",
            help="link the scores of --format html to the items in this folder of `videor1 report`"
            " (default: the folder `report` beside --out, where it is one)",
        )

    def run(self, args: Namespace) -> CommandResult:
        """Read the runs, compare them, and write the table."""
        from harness.board.entries import read_entries
        from harness.board.found import named_runs
        from harness.board.leaderboard import build_board
        from harness.board.names import parse_names, with_names
        from harness.board.published import unused_rows
        from harness.text.console import make_console

        if args.report and args.format != "html":
            raise UsageError("--report goes with --format html; the other formats have no links")
        published = [] if args.published is None else _read_published(args.published)
        found = named_runs(args.runs, probes=args.probes)
        if args.format == "eval-results":
            _require_one_run(args, len(found.folders))
        notes = make_console(stderr=True)
        for note in found.notes:
            notes.print(note, style="dim", soft_wrap=True)
        entries = read_entries(found.folders, scorers=args.scorers)
        columns = _probe_columns(entries) if args.probes else ()
        board = build_board(with_names(entries, parse_names(args.name)), published, columns)
        for note in unused_rows(published, board.tasks) if args.published else ():
            notes.print(note, style="dim", soft_wrap=True)
        _write_board(args, board, entries)
        if args.chart:
            from harness.board.chart import draw_chart

            draw_chart(board, args.chart)
        return CommandResult(Exit.OK, _describe(args, board, len(entries)))


def _probe_columns(entries: Sequence[Entry]) -> tuple[Column, ...]:
    from harness.board.probes import probe_columns

    columns = probe_columns(entries)
    if not columns:
        raise UsageError(
            "--probes: none of these folders is a finished probe; `videor1 probe` makes one"
        )
    return columns


def _describe(args: Namespace, board: Board, runs: int) -> str:
    """Return what the table holds and where it was written."""
    number = "1 run" if runs == 1 else f"{runs} runs"
    rows = f" in {len(board.rows)} rows" if runs != len(board.rows) else ""
    below = f", {len(board.below)} not ranked" if board.below else ""
    files = [str(path) for path in (args.out, args.chart) if path]
    where = f", written to {' and '.join(files)}" if files else ""
    return f"{number}{rows}{below}{where}"


def _read_published(value: str) -> Sequence[PublishedScore]:
    """Return the published scores that a flag's value names: rows, or a file of one's own."""
    from harness.board.published import PUBLISHED, read_published, select_published

    path = Path(value)
    if value != ALL and path.is_dir():
        raise UsageError(f"{path} is a folder, no published row; name runs before --published")
    if path.suffix.lower() == ".csv":
        return read_published(path)
    scores = read_published(PUBLISHED)
    wanted = [row.strip() for row in value.split(",") if row.strip()]
    return select_published(scores, wanted) if wanted else scores


def _require_one_run(args: Namespace, runs: int) -> None:
    extras = (
        args.by, args.published is not None, args.scorers, args.name, args.chart, args.probes,
    )  # fmt: skip
    if runs != 1 or any(extras):
        raise UsageError(
            "--format eval-results is for one model: name one run, without --by, --published,"
            " --scorers, --probes, --name and --chart"
        )


def _write_board(args: Namespace, board: Board, entries: list[Entry]) -> None:
    from harness.board.table import make_tables
    from harness.board.text import print_tables
    from harness.text.console import make_console

    console = make_console()
    if args.out:
        _write_file(args.out, _format_board(args, board, entries))
    elif args.format == "text":
        print_tables(console, make_tables(board, by=args.by))
    else:
        console.file.write(_format_board(args, board, entries))


def _format_board(args: Namespace, board: Board, entries: list[Entry]) -> str:
    from harness.board.data import to_csv, to_json
    from harness.board.html import to_html
    from harness.board.hub import to_eval_results
    from harness.board.latex import to_latex
    from harness.board.markdown import to_markdown
    from harness.board.table import make_tables
    from harness.board.text import to_text

    if args.format == "eval-results":
        return to_eval_results(board, entries[0])
    if args.format in ("csv", "json"):
        return {"csv": to_csv, "json": to_json}[args.format](board, by=args.by)
    if args.format == "html":
        return to_html(make_tables(board, by=args.by, link=_find_links(args, board)))
    pages = {"text": to_text, "md": to_markdown, "latex": to_latex}
    return pages[args.format](make_tables(board, by=args.by))


def _find_links(args: Namespace, board: Board) -> MakeLink | None:
    """Return what scores link to: the report that is named, or the one beside the page."""
    from harness.board.report_links import RUN_LIST, read_report_links

    beside = args.out.parent if args.out else Path()
    report = args.report or beside / "report"
    if args.report is None and not (report / RUN_LIST).is_file():
        return None
    links = read_report_links(report, beside)
    runs = [run for row in board.rows for run in row.runs]
    if args.report and not any(links.link(run, "") for run in runs):
        raise UsageError(f"{args.report}: this report has none of the board's runs")
    return links.link


def _write_file(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be written: {error.strerror}; choose another --out"
        ) from None
