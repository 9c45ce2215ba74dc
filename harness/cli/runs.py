"""``videor1 runs``: list the runs in a folder with their scores, state and age."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.exits import CommandResult, Exit
from harness.run.config import DEFAULT_RUNS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from harness.run.overview import FoundFolders, RunOverview

_STYLES = {"running": "cyan", "finished": "green", "incomplete": "yellow", "failed": "red"}
_SPANS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))


class RunsCommand:
    """The ``runs`` command."""

    help = "list the runs in a folder: model, protocol, scores, state, age"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the folder and the format."""
        parser.add_argument(
            "folder",
            nargs="?",
            type=Path,
            default=DEFAULT_RUNS,
            metavar="DIR",
            help="folder that holds run directories, at any of four levels (default: %(default)s)",
        )
        parser.add_argument(
            "--format",
            choices=("text", "json"),
            default="text",
            help="how to print it (default: text)",
        )

    def run(self, args: Namespace) -> CommandResult:
        """Read every run below the folder and print one line for each, the latest first."""
        from harness.run.overview import find_runs, overview
        from harness.text.console import make_console

        found = find_runs(args.folder)
        runs = sorted(map(overview, found.runs), key=lambda run: (-run.changed, str(run.folder)))
        console = make_console()
        if args.format == "json":
            console.file.write(_to_json(args.folder, runs, found))
        else:
            _print_runs(console, args.folder, runs)
            _print_others(console, args.folder, found)
        return CommandResult(Exit.OK, _describe(args.folder, runs))


def _describe(root: Path, runs: Sequence[RunOverview]) -> str:
    states = [run.state.value for run in runs]
    counts = ", ".join(f"{states.count(state)} {state}" for state in _STYLES if state in states)
    number = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    return f"{number} in {root}" + (f" ({counts})" if counts else "")


def _print_runs(console: Console, root: Path, runs: Sequence[RunOverview]) -> None:
    from harness.text.console import print_whole, styled

    if not runs:
        return
    print_whole(console, _make_table(root, runs))
    for run in runs:
        if run.problem is not None:
            console.print(styled((f"{_short(run.folder, root)}: {run.problem}", "red")))


def _print_others(console: Console, root: Path, found: FoundFolders) -> None:
    for folder, kind in found.others.items():
        console.print(f"{_short(folder, root)} is {kind}", style="dim")


def _make_table(root: Path, runs: Iterable[RunOverview]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from harness.board.table import score_text
    from harness.text.shown import shortened

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("run\nmodel", overflow="fold", ratio=1)
    table.add_column("protocol", overflow="fold")
    table.add_column("scores", overflow="fold")
    table.add_column("state", min_width=10)
    table.add_column("age", justify="right", no_wrap=True)
    now = time.time()
    for run in runs:
        name = Text(_short(run.folder, root), style="bold")
        table.add_row(
            name + Text(f"\n{shortened(run.model)}", style="dim not bold"),
            run.protocol.replace(", ", "\n"),
            "\n".join(
                f"{name} {score_text(one.score, one.ci95)}" for name, one in run.tasks.items()
            ),
            _state_cell(run),
            format_age(now - run.changed),
        )
    return table


def _state_cell(run: RunOverview) -> Text:
    from rich.text import Text

    lines = [Text(run.state.value, style=_STYLES[run.state.value])]
    if run.answered < run.asked and run.problem is None:
        lines.append(Text(f"{run.answered:,} of {run.asked:,}"))
    if run.failed:
        lines.append(Text(f"{run.failed:,} failed", style="red"))
    return Text("\n").join(lines)


def format_age(seconds: float) -> str:
    """Format a span with its largest unit: ``3 min``, ``2 h``, ``5 d``."""
    for length, unit in _SPANS:
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return "now"


def _short(folder: Path, root: Path) -> str:
    """Return a folder's path below the listed one; the listed one by its own name."""
    return str(folder if folder == root else folder.relative_to(root))


def _to_json(root: Path, runs: Iterable[RunOverview], found: FoundFolders) -> str:
    import json

    from harness.text.shown import for_json
    from harness.text.stored import storable_json

    content = {
        "folder": str(root),
        "runs": [_run_as_json(run) for run in runs],
        "others": {str(folder): kind for folder, kind in found.others.items()},
    }
    return for_json(json.dumps(storable_json(content), indent=2, ensure_ascii=False)) + "\n"


def _run_as_json(run: RunOverview) -> dict[str, Any]:
    return {
        "run": str(run.folder),
        "model": run.model,
        "protocol": run.protocol,
        "protocol_hash": run.protocol_hash,
        "tasks": {
            name: {"score": one.score, "ci95": one.ci95, "items": one.n, "videos": one.n_clusters}
            for name, one in run.tasks.items()
        },
        "state": run.state.value,
        "answered": run.answered,
        "asked": run.asked,
        "failed": run.failed,
        "created": run.created,
        "changed": _as_utc(run.changed),
        "problem": run.problem,
    }


def _as_utc(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
