"""``videor1 show``: print a stored run again, or one of its items; needs no data and no engine."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.exits import CommandResult, Exit
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.run.samples_file import StoredSamples
    from harness.schema import Record


class ShowCommand:
    """The ``show`` command."""

    help = "print a stored run again, or one of its items; needs no data"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the run, the item and the format."""
        parser.add_argument("run", type=Path, metavar="RUN", help="run directory")
        parser.add_argument(
            "item", nargs="?", metavar="ITEM", help="id of a question, or its end (`12`)"
        )
        parser.add_argument(
            "--prompt", action="store_true", help="also print the item's prompt as it was asked"
        )
        parser.add_argument(
            "--format",
            choices=("text", "json"),
            default="text",
            help="how to print it (default: text)",
        )

    def run(self, args: Namespace) -> CommandResult:
        """Print the tables that the end of the run printed, or all that is known of an item."""
        from harness.run.overview import kind_of_other
        from harness.run.store import is_run

        kind = None if is_run(args.run) else kind_of_other(args.run)
        if kind is not None:
            raise UsageError(f"{args.run}: not a run directory, it is {kind}")
        return _show_run(args) if args.item is None else _show_item(args)


def _show_run(args: Namespace) -> CommandResult:
    from harness.cli.tables import print_results
    from harness.run.overview import overview
    from harness.run.result import Run
    from harness.run.store import read_manifest, read_records
    from harness.run.stored_results import read_results
    from harness.text.console import make_console

    manifest, records = read_manifest(args.run), read_records(args.run)
    run, (results, lacking) = Run(args.run), read_results(args.run, records)
    state = overview(args.run)
    console = make_console()
    if args.format == "json":
        _write_json({"run": str(args.run), "manifest": manifest, "tasks": results.as_json()})
    else:
        for line in _describe(manifest, state.protocol):
            console.print(line)
        print_results(console, results.tasks, records, run.timing, run.replicas)
    done = f"{state.answered} of {state.asked} answers" if state.asked else "no questions"
    failed = f", {state.failed} failed" if state.failed else ""
    missing = f"; {lacking}" if lacking else ""
    return CommandResult(Exit.OK, f"{args.run}: {state.state}, {done}{failed}{missing}")


def _describe(manifest: dict[str, Any], protocol: str) -> Iterable[str]:
    """Yield what the run is of: checkpoint, protocol, time."""
    from harness.text.shown import shortened

    named = manifest.get("named")
    model = str(manifest.get("model", "-"))
    yield shortened(f"model     {model}" + (f" ({named})" if named and named != model else ""))
    yield f"protocol  {protocol} ({manifest.get('protocol_hash', '-')})"
    yield f"engine    {manifest.get('backend', '-')}"
    yield f"begun     {manifest.get('created', '-')}"


def _show_item(args: Namespace) -> CommandResult:
    from harness.cli.item_view import item_as_json, print_item
    from harness.run.samples_file import read_samples
    from harness.run.store import read_records
    from harness.text.console import make_console

    samples, records = read_samples(args.run), read_records(args.run)
    name = find_item(args.item, samples, records)
    sample = samples.get(name)
    answers = sorted((r for r in records if r.id == name), key=lambda record: record.repeat)
    if args.format == "json":
        _write_json(item_as_json(name, sample, answers))
    else:
        print_item(make_console(), name, sample, answers, prompt=args.prompt)
    outcomes = ", ".join(record.outcome.replace("_", " ") for record in answers) or "not answered"
    missing = f"; {samples.lacking}" if sample is None and samples.lacking else ""
    return CommandResult(Exit.OK, f"{name}: {outcomes}{missing}")


def find_item(asked: str, samples: StoredSamples, records: Sequence[Record]) -> str:
    """Return the id of the item that a user means: the whole id, or an end that only one has.

    Raises:
        UsageError: No item or several fit; names some.
    """
    from difflib import get_close_matches

    known: list[str] = list(dict.fromkeys([*samples, *(record.id for record in records)]))
    if asked in known:
        return asked
    ending = [name for name in known if name.endswith(f"/{asked}")]
    if len(ending) == 1:
        return ending[0]
    if ending:
        some = ", ".join(ending[:5])
        raise UsageError(f"{len(ending)} items end in {asked!r:.80}: {some}; name one")
    near = get_close_matches(asked, known, n=3, cutoff=0.5) or known[:3]
    raise UsageError(
        f"there is no item {asked!r:.80} in this run; it has {len(known)}, such as"
        f" {', '.join(near) or 'none'}"
    )


def _write_json(content: dict[str, Any]) -> None:
    import json
    import sys

    from harness.text.shown import for_json
    from harness.text.stored import storable_json

    text = json.dumps(storable_json(content), indent=2, ensure_ascii=False)
    sys.stdout.write(for_json(text) + "\n")
