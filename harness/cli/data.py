"""``videor1 data``: check that the benchmarks' data is complete, or download it.

``check`` reads every question and looks for its media; ``--decode`` opens each of them as well.
Media that the publishers may not distribute count as missing too: without them the score does not
cover all items. ``fetch`` downloads a benchmark at a pinned commit and unpacks it; after an
interruption the same command resumes. A second fetch into a folder takes the folder's commit,
``--revision`` another one.
"""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.cli.exits import CommandResult, Exit
from harness.cli.flags import add_data_flag, task_list
from harness.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from harness.run.data_check import DataCheck
    from harness.run.media_check import Gap
    from harness.schema import Sample

DECODE_TIMEOUT_S = 120.0
LOOK_AHEAD_BYTES = 1 << 28


class DataCommand:
    """The ``data`` command."""

    help = "check that the benchmarks' data is complete, or download it"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the actions ``check`` and ``fetch`` and their flags."""
        actions = parser.add_subparsers(metavar="ACTION", required=True)
        checking = "look for every video that the questions need"
        check = actions.add_parser("check", help=checking, description=checking, allow_abbrev=False)
        check.add_argument(
            "--tasks",
            type=task_list,
            metavar="A,B",
            help="NAME, NAME:CATEGORY, a suite, or a file such as ./traffic.jsonl (default: all"
            " that have a folder)",
        )
        add_data_flag(check)
        check.add_argument("--decode", action="store_true", help="also decode every video")
        check.set_defaults(action=_check)
        fetching = "download a benchmark and unpack it"
        fetch = actions.add_parser("fetch", help=fetching, description=fetching, allow_abbrev=False)
        fetch.add_argument(
            "task", metavar="TASK", help="name of a task or suite, see `videor1 tasks`"
        )
        add_data_flag(fetch)
        fetch.add_argument(
            "--revision",
            metavar="COMMIT",
            help="commit or branch (default: that of the folder, else the pinned one)",
        )
        fetch.add_argument("--endpoint", metavar="URL", help=SUPPRESS)
        fetch.set_defaults(action=_fetch)

    def run(self, args: Namespace) -> CommandResult:
        """Check or download, then print what is missing."""
        result: CommandResult = args.action(args)
        return result


def _check(args: Namespace) -> CommandResult:
    from harness.run.data_check import check_data, tasks_with_data, without_unfetched
    from harness.text.console import make_console

    console = make_console()
    selections = args.tasks or tasks_with_data(args.data)
    decode = _decode_all if args.decode else None
    checks = [check_data(selection, args.data, decode) for selection in selections]
    unfetched: list[DataCheck] = []
    if not args.tasks:
        checks, unfetched = without_unfetched(checks, args.data)
    _print_checks(console, checks)
    for check in unfetched:
        note = (
            f"{check.selection} is left out: none of its {check.n_media} media are here;"
            f" `videor1 data fetch {check.selection}` brings them, --tasks checks it all the same"
        )
        console.print(note, soft_wrap=True)
    return _conclude(checks)


def _fetch(args: Namespace) -> CommandResult:
    from harness.data.fetch import fetch
    from harness.run.data_check import check_data
    from harness.task import registry
    from harness.task.suites import expand_suites
    from harness.text.console import make_console

    console, checks = make_console(), []
    tasks = [registry.find(name) for name in expand_suites([args.task])]
    for task in tasks:
        if task.source is None:
            raise UsageError(
                f"{task.name} cannot be downloaded from the hub; its data: {task.homepage}"
            )
        folder = registry.data_folder(task, args.data)
        console.print(f"downloading {task.source.page} into {folder}", soft_wrap=True)
        receipt = fetch(task.source, folder, revision=args.revision, endpoint=args.endpoint)
        pinned = "our pin" if receipt.revision == task.source.revision else "not our pin"
        console.print(f"{len(receipt.files)} files of commit {receipt.revision} ({pinned})")
        checks.append(check_data(task.name, args.data))
    _print_checks(console, checks)
    return _conclude(checks)


def _decode_all(selection: str, samples: Sequence[Sample]) -> list[Gap]:
    """Decode all media on disk, with a progress bar; return what is damaged or differs."""
    from rich.progress import Progress

    from harness.run.config import available_processors
    from harness.run.media_check import find_damage, probe_jobs
    from harness.text.console import make_console
    from harness.video import decord_check
    from harness.video.decode import decode
    from harness.video.pool import DecodePool

    console = make_console(stderr=True)
    why_not = decord_check.why_unavailable()
    if why_not is not None:
        console.print(why_not, soft_wrap=True)
    pool = DecodePool(
        workers=available_processors(),
        timeout_s=DECODE_TIMEOUT_S,
        max_bytes=LOOK_AHEAD_BYTES,
        decoder=decode if why_not else decord_check.decode_and_compare,
    )
    jobs = probe_jobs(samples)
    with pool, Progress(console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task(f"decoding {selection}", total=len(jobs))
        return find_damage(samples, jobs, pool, lambda: progress.advance(bar))


def _print_checks(console: Console, checks: Sequence[DataCheck]) -> None:
    """Print one line per task, then what is missing."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("task", style="bold", no_wrap=True)
    for heading in ("items", "media", "unusable", "affected items"):
        table.add_column(heading, justify="right")
    for check in checks:
        counts = (len(check.samples), check.n_media, check.n_unusable, check.n_affected)
        table.add_row(check.selection, *(f"{number:,}" for number in counts))
    console.print(table)
    for check in checks:
        lines = [line for gap in check.gaps for line in gap.lines()]
        for line in [check.selection, *lines] if lines else []:
            console.print(line, soft_wrap=True)


def _conclude(checks: Sequence[DataCheck]) -> CommandResult:
    incomplete = [f"{check.selection} {check.n_unusable}" for check in checks if check.unusable]
    if incomplete:
        reason = f"media are missing or cannot be used: {', '.join(incomplete)}"
        return CommandResult(Exit.INCOMPLETE, reason)
    items = sum(len(check.samples) for check in checks)
    return CommandResult(Exit.OK, f"the data of {items:,} items is complete")
