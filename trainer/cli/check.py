"""``videor1 train check``: check rows alone, and show them as a page."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.exits import CommandResult, Exit
from harness.cli.flags import count
from harness.errors import UsageError
from harness.run.config import available_processors
from trainer.config.algorithms import GRPO, SFT, find_algorithms

if TYPE_CHECKING:
    from rich.console import Console

    from trainer.config.row_check import RowCheckSettings
    from trainer.pages.rows_page import RowsPage
    from trainer.runs.row_check import CheckedRows


def add_check_action(actions: _SubParsersAction[ArgumentParser]) -> None:
    """Declare the action ``check``."""
    text = "check rows without training: every fault, a right row, lengths; as a page, too"
    check = actions.add_parser("check", help=text, description=text, allow_abbrev=False)
    check.add_argument(
        "rows", type=Path, nargs="+", metavar="ROWS", help=".json, .jsonl or .parquet files"
    )
    check.add_argument(
        "--media-root",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="folder in which a row's path is searched; may be repeated (default: the folders of"
        " the files)",
    )
    check.add_argument(
        "--checkpoint",
        metavar="CHECKPOINT",
        help="folder or hub id whose processor builds the prompts, as a training does",
    )
    check.add_argument(
        "--for",
        dest="algorithm",
        choices=list(find_algorithms()),
        default=GRPO.name,
        help="what the rows are for: sft needs rationales, grpo and tgrpo answers that can be"
        " rewarded (default: %(default)s)",
    )
    check.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.FIELD=VALUE",
        help="a value of a recipe's section data or frames; may be repeated",
    )
    check.add_argument(
        "--workers",
        type=count,
        default=available_processors(),
        metavar="N",
        help="decode processes (default: %(default)s)",
    )
    check.add_argument(
        "--html", type=Path, metavar="DIR", help="folder of a page with faults, lengths and frames"
    )
    check.add_argument(
        "--samples",
        type=count,
        default=24,
        metavar="N",
        help="rows that the page shows with their frames (default: %(default)s)",
    )
    check.set_defaults(action=_check_rows)


def _check_rows(args: Namespace) -> CommandResult:
    from harness.text.console import make_console
    from trainer.cli.observer import ConsoleObserver
    from trainer.cli.rows_view import print_report, print_spreads
    from trainer.config.row_check import read_check_settings
    from trainer.runs.row_check import check_alone

    settings = read_check_settings(args.rows, args.media_root, args.workers, args.set)
    page = _make_page(args, settings)
    console = make_console()
    with ConsoleObserver(make_console(stderr=True)).checking() as on_checked:
        checked = check_alone(
            settings,
            algorithm=find_algorithms()[args.algorithm],
            checkpoint=args.checkpoint,
            on_checked=on_checked,
            **({"on_decoded": page.see_clip} if page else {}),
        )
    print_report(console, checked.report)
    print_spreads(console, checked)
    _say_what_is_missing(console, args, checked)
    where = f"; the page: {page.write(checked)}" if page else ""
    return _conclude(checked, where)


def _make_page(args: Namespace, settings: RowCheckSettings) -> RowsPage | None:
    if args.html is None:
        return None
    from trainer.pages.rows_page import Asked, RowsPage

    asked = Asked(
        files=settings.data.rows,
        media_roots=settings.data.media_roots,
        algorithm=args.algorithm,
        checkpoint=args.checkpoint,
    )
    return RowsPage(args.html, asked, args.samples)


def _say_what_is_missing(console: Console, args: Namespace, checked: CheckedRows) -> None:
    """Say what the check could not look at."""
    rows = checked.report.rows
    rationales = sum(row.rationale is not None for row in rows)
    if args.algorithm != SFT.name and rationales < len(rows):
        console.print(f"rationales: {rationales:,} of {len(rows):,} rows; SFT needs one per row")
    if args.checkpoint and rows and not checked.measured.tokens:
        console.print(
            "prompts were not built: transformers is not installed, the checkpoint has no"
            " tokenizer, or nothing was decoded"
        )


def _conclude(checked: CheckedRows, where: str) -> CommandResult:
    from trainer.data.checks import PAGE
    from trainer.data.faults import count_faults

    report = checked.report
    if report.bad:
        return CommandResult(
            Exit.USAGE,
            f"{report.bad_rows:,} of {len(report.rows) + report.bad_rows:,} rows are bad"
            f" ({count_faults(report.bad)}); {PAGE} describes every field{where}",
        )
    if not report.rows:
        raise UsageError(f"no row is left to check; see --set data.kinds and data.media{where}")
    return CommandResult(Exit.OK, f"{len(report.rows):,} rows are right{where}")
