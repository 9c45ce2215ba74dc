"""``videor1 board``: runs side by side, with the ranks that the data allow.

Runs under another protocol, on other data, with missing or failed items stand below a rule with
the reason; published figures stand in a table of their own.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.exits import CommandResult, Exit
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.board.entry import Entry
    from harness.board.table import Board as Table

FORMATS = ("text", "md", "latex", "csv", "html", "json", "eval-results")
PUBLISHED = Path("results/published.csv")


class Board:
    """The ``board`` command."""

    help = "put runs into one table: scores, intervals, rank ranges"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the flags."""
        parser.add_argument("runs", nargs="+", type=Path, metavar="RUNDIR", help="run directories")
        parser.add_argument(
            "--format",
            choices=FORMATS,
            default=FORMATS[0],
            help="eval-results is Hugging Face's YAML, of one run (default: %(default)s)",
        )
        parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="default: print it")
        parser.add_argument("--by", action="store_true", help="with a breakdown by category")
        parser.add_argument(
            "--scorers",
            action="store_true",
            help="with the scores that `videor1 rescore` left in the runs, as columns",
        )
        parser.add_argument(
            "--published",
            nargs="?",
            type=Path,
            const=PUBLISHED,
            metavar="FILE",
            help=f"with published figures, marked as such (FILE default: ./{PUBLISHED})",
        )

    def run(self, args: Namespace) -> CommandResult:
        """Read the runs, compare them, and write the table."""
        from harness.board.entries import read_entries
        from harness.board.published import read_published
        from harness.board.table import build

        if args.format == "eval-results":
            _check_eval_results(args)
        if args.published and args.published.is_dir():
            raise UsageError(
                f"{args.published} is a folder, not a CSV file; name runs before --published"
            )
        published = read_published(args.published) if args.published else []
        entries = read_entries(args.runs, scorers=args.scorers)
        board = build(entries, published)
        _write(args, board, entries)
        below = f", {len(board.below)} not ranked" if board.below else ""
        where = f" in {args.out}" if args.out else ""
        runs = "1 run" if len(board.rows) == 1 else f"{len(board.rows)} runs"
        return CommandResult(Exit.OK, f"{runs}{below}{where}")


def _check_eval_results(args: Namespace) -> None:
    if len(args.runs) != 1 or args.by or args.published or args.scorers:
        raise UsageError(
            "eval-results belong to one model: name one run, without --by, --published, --scorers"
        )


def _write(args: Namespace, board: Table, entries: list[Entry]) -> None:
    from rich.console import Console

    from harness.board.grid import grids
    from harness.board.text import WIDTH, print_board

    console = Console()
    if args.out:
        _write_file(args.out, _formatted(args, board, entries))
    elif args.format == "text":
        wide = console if console.is_terminal else Console(width=WIDTH)
        print_board(wide, grids(board, by=args.by))
    else:
        console.file.write(_formatted(args, board, entries))


def _formatted(args: Namespace, board: Table, entries: list[Entry]) -> str:
    from harness.board.data import to_csv, to_json
    from harness.board.grid import grids
    from harness.board.html import to_html
    from harness.board.hub import to_eval_results
    from harness.board.latex import to_latex
    from harness.board.markdown import to_markdown
    from harness.board.text import to_text

    if args.format == "eval-results":
        return to_eval_results(board, entries[0])
    if args.format in ("csv", "json"):
        return {"csv": to_csv, "json": to_json}[args.format](board, by=args.by)
    pages = {"text": to_text, "md": to_markdown, "latex": to_latex, "html": to_html}
    return pages[args.format](grids(board, by=args.by))


def _write_file(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from None
