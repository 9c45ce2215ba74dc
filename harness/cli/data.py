"""``videor1 data``: is everything there that the benchmarks need, and if not, bring it.

``check`` reads every question and looks for its media; ``--decode`` opens each of them as well.
Media that nobody may distribute count as missing too: the score is not over all items without them.
``fetch`` downloads a benchmark at a pinned commit and unpacks it; interrupted, it goes on where it
stopped. A second fetch into a folder takes the folder's commit, ``--revision`` another one.
"""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.exits import CommandResult, Exit
from harness.cli.flags import add_data_flag, task_list
from harness.errors import UsageError
from harness.run.config import available_processors
from harness.task import registry

if TYPE_CHECKING:
    from rich.console import Console

    from harness.run.media_check import Gap
    from harness.schema import Sample

DECODE_TIMEOUT_S = 120.0
LOOK_AHEAD_BYTES = 1 << 28


class DataCommand:
    """The ``data`` command."""

    help = "check that the benchmarks' data is complete, or fetch it"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the two actions and their flags."""
        actions = parser.add_subparsers(metavar="ACTION", required=True)
        checking = "look for every video the questions need"
        check = actions.add_parser("check", help=checking, description=checking, allow_abbrev=False)
        check.add_argument(
            "--tasks",
            type=task_list,
            metavar="A,B",
            help="NAME or NAME:config (default: those with a folder)",
        )
        add_data_flag(check)
        check.add_argument("--decode", action="store_true", help="decode every video as well")
        check.set_defaults(action=_check)
        fetching = "download a benchmark and unpack it"
        fetch = actions.add_parser("fetch", help=fetching, description=fetching, allow_abbrev=False)
        fetch.add_argument("task", metavar="TASK", help="name of a task, see `videor1 tasks`")
        add_data_flag(fetch)
        fetch.add_argument(
            "--revision",
            metavar="COMMIT",
            help="commit or branch (default: the one in the folder, else our pin)",
        )
        fetch.add_argument("--endpoint", metavar="URL", help=SUPPRESS)
        fetch.set_defaults(action=_fetch)

    def run(self, args: Namespace) -> CommandResult:
        """Do the chosen action."""
        result: CommandResult = args.action(args)
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found about one selection."""

    selection: str
    samples: Sequence[Sample]
    gaps: Sequence[Gap]

    @property
    def n_media(self) -> int:
        """Distinct files or frame folders that the questions need."""
        return len({media.path for sample in self.samples for media in sample.media})

    @property
    def unusable(self) -> list[Gap]:
        """The gaps that keep questions from being asked."""
        return [gap for gap in self.gaps if not gap.usable]


def _check(args: Namespace) -> CommandResult:
    from rich.console import Console

    selections = args.tasks or _present(args.data)
    console = Console()
    return _show(console, [_checked(selection, args.data, args.decode) for selection in selections])


def _fetch(args: Namespace) -> CommandResult:
    from rich.console import Console

    from harness.data.fetch import fetch

    task = registry.get(args.task)
    if task.source is None:
        raise UsageError(f"{task.name} cannot be fetched from the hub; see {task.homepage}")
    console, folder = Console(), registry.data_folder(task, args.data)
    console.print(f"fetching {task.source.page} into {folder}", soft_wrap=True)
    receipt = fetch(task.source, folder, revision=args.revision, endpoint=args.endpoint)
    pinned = "our pin" if receipt.revision == task.source.revision else "not our pin"
    console.print(f"{len(receipt.files)} files of commit {receipt.revision} ({pinned})")
    return _show(console, [_checked(args.task, args.data, decode=False)])


def _present(data: Path) -> list[str]:
    """Return the installed tasks whose folder exists."""
    found = [
        name
        for name in sorted(registry.installed())
        if registry.data_folder(registry.get(name), data).is_dir()
    ]
    if not found:
        raise UsageError(
            f"{data}: no benchmark folder here; --data names the folder that holds them,"
            " `videor1 data fetch TASK` brings one"
        )
    return found


def _checked(selection: str, data: Path, decode: bool) -> Checked:
    from harness.run.media_check import find_gaps
    from harness.run.plan import select

    task = registry.get(registry.name_of(selection))
    folder = registry.data_folder(task, data)
    if not folder.is_dir():
        raise UsageError(
            f"{folder}: no such folder; `videor1 data fetch {task.name}` brings it,"
            " --data names the folder that holds it"
        )
    samples = select(task, data, selection)[0].samples
    gaps = find_gaps(task, samples)
    if decode:
        gaps += _decoded(selection, samples)
    return Checked(selection=selection, samples=samples, gaps=gaps)


def _decoded(selection: str, samples: Sequence[Sample]) -> list[Gap]:
    """Decode every medium on disk, with a progress bar."""
    from rich.console import Console
    from rich.progress import Progress

    from harness.run.media_check import (
        find_damage,
        probe_jobs,
    )
    from harness.video.decord_check import decode_and_compare
    from harness.video.pool import DecodePool

    console = Console(stderr=True)
    pool = DecodePool(
        workers=available_processors(),
        timeout_s=DECODE_TIMEOUT_S,
        max_bytes=LOOK_AHEAD_BYTES,
        decoder=decode_and_compare,
    )
    jobs = probe_jobs(samples)
    with pool, Progress(console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task(f"decoding {selection}", total=len(jobs))
        return find_damage(samples, jobs, pool, lambda: progress.advance(bar))


def _show(console: Console, checks: Sequence[Checked]) -> CommandResult:
    """Print the table and the gaps, and judge."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("task", style="bold", no_wrap=True)
    for heading in ("items", "media", "unusable", "items hit"):
        table.add_column(heading, justify="right")
    for check in checks:
        unusable = sum(len(gap.media) for gap in check.unusable)
        hit = sum(gap.items for gap in check.unusable)
        counts = (len(check.samples), check.n_media, unusable, hit)
        table.add_row(check.selection, *(f"{number:,}" for number in counts))
    console.print(table)
    for check in checks:
        lines = [line for gap in check.gaps for line in gap.lines()]
        for line in [check.selection, *lines] if lines else []:
            console.print(line, soft_wrap=True, markup=False, highlight=False)
    return _judge_checks(checks)


def _judge_checks(checks: Sequence[Checked]) -> CommandResult:
    incomplete = {
        check.selection: sum(len(gap.media) for gap in check.unusable)
        for check in checks
        if check.unusable
    }
    if incomplete:
        counts = ", ".join(f"{name} {number}" for name, number in incomplete.items())
        return CommandResult(Exit.INCOMPLETE, f"media are missing or damaged: {counts}")
    items = sum(len(check.samples) for check in checks)
    return CommandResult(Exit.OK, f"everything is there for {items:,} items")
