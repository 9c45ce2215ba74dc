"""``videor1 board``: runs side by side, with the ranks that the data allow.

Runs with other settings, on other data, with missing or failed items are listed below the ranked
runs with the reason; published scores get a table of their own.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.exits import CommandResult, Exit
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.board.entry import Entry
    from harness.board.leaderboard import Board

FORMATS = ("text", "md", "latex", "csv", "html", "json", "eval-results")
PUBLISHED = Path("results/published.csv")


class BoardCommand:
    """The ``board`` command."""

    help = "put runs into one table: scores, intervals, rank ranges"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the runs, the format and what to show."""
        parser.add_argument("runs", nargs="+", type=Path, metavar="RUNDIR", help="run directories")
        parser.add_argument(
            "--format",
            choices=FORMATS,
            default=FORMATS[0],
            help="eval-results is Hugging Face's YAML for one run (default: %(default)s)",
        )
        parser.add_argument(
            "-o", "--out", type=Path, metavar="FILE", help="write to FILE instead of printing"
        )
        parser.add_argument("--by", action="store_true", help="add a breakdown by category")
        parser.add_argument(
            "--scorers",
            action="store_true",
            help="also show the scores that `videor1 rescore` left in the runs, as columns",
        )
        parser.add_argument(
            "--published",
            nargs="?",
            type=Path,
            const=PUBLISHED,
            metavar="FILE",
            help=f"also list published scores, marked as such (default FILE: ./{PUBLISHED})",
        )

    def run(self, args: Namespace) -> CommandResult:
        """Read the runs, compare them, and write the table."""
        from harness.board.entries import read_entries
        from harness.board.leaderboard import build_board
        from harness.board.published import read_published

        if args.format == "eval-results":
            _require_one_run(args)
        if args.published and args.published.is_dir():
            raise UsageError(
                f"{args.published} is a folder, not a CSV file; name runs before --published"
            )
        published = read_published(args.published) if args.published else []
        entries = read_entries(args.runs, scorers=args.scorers)
        board = build_board(entries, published)
        _write_board(args, board, entries)
        below = f", {len(board.below)} not ranked" if board.below else ""
        where = f", written to {args.out}" if args.out else ""
        runs = "1 run" if len(board.rows) == 1 else f"{len(board.rows)} runs"
        return CommandResult(Exit.OK, f"{runs}{below}{where}")


def _require_one_run(args: Namespace) -> None:
    if len(args.runs) != 1 or args.by or args.published or args.scorers:
        raise UsageError(
            "--format eval-results is for one model: name one run, without --by, --published and"
            " --scorers"
        )


def _write_board(args: Namespace, board: Board, entries: list[Entry]) -> None:
    from harness.board.table import make_tables
    from harness.board.text import WIDTH, print_tables
    from harness.text.console import make_console

    console = make_console()
    if args.out:
        _write_file(args.out, _format_board(args, board, entries))
    elif args.format == "text":
        wide = console if console.is_terminal else make_console(width=WIDTH)
        print_tables(wide, make_tables(board, by=args.by))
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
    pages = {"text": to_text, "md": to_markdown, "latex": to_latex, "html": to_html}
    return pages[args.format](make_tables(board, by=args.by))


def _write_file(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be written: {error.strerror}; choose another --out"
        ) from None
