"""``videor1 score``: score texts that were generated elsewhere; no engine, no videos."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.budget import completeness
from harness.cli.exits import CommandResult
from harness.cli.flags import add_data_flag, add_judge_flags, failure_budget, judge_config
from harness.errors import DatasetError, UsageError
from harness.run.config import FailureBudget
from harness.run.plan import (
    Plan,
    PlannedTask,
    pick_scorer,
    select,
)
from harness.task import registry

if TYPE_CHECKING:
    from harness.schema import Record, Request

STORED = "stored"


class ScoreCommand:
    """The ``score`` command."""

    help = "score stored responses with a benchmark's scorer"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the flags."""
        parser.add_argument("--task", required=True, metavar="NAME[:config]")
        add_data_flag(parser)
        parser.add_argument(
            "--responses",
            required=True,
            type=Path,
            metavar="FILE.jsonl",
            help='one {"id": ..., "text": ...} per line',
        )
        parser.add_argument("--scorer", metavar="NAME", help="default: the task's official one")
        parser.add_argument(
            "--max-failures",
            type=failure_budget,
            default=FailureBudget(),
            metavar="N|P%",
            help="responses without text accepted (default: 0)",
        )
        add_judge_flags(parser)
        parser.add_argument(
            "--include-path", type=Path, metavar="DIR", help="folder of further lmms-eval tasks"
        )
        parser.add_argument("--out", type=Path, metavar="RUNDIR", help="also keep it as a run")

    def run(self, args: Namespace) -> CommandResult:
        """Score every response and print the task's table."""
        from rich.console import Console

        from harness.cli.tables import (
            print_failures,
            print_summaries,
        )
        from harness.run.summary import (
            summarise_run,
            write_results,
        )

        planned = _planned(args)
        plan = Plan((planned,))
        records = _records(planned, read_responses(args.responses))
        results = summarise_run(plan, records)
        if args.out:
            _keep(args, plan, records)
            write_results(args.out, results, records)
        console = Console()
        print_summaries(console, results.tasks)
        print_failures(console, records.values())
        return completeness(results, args.out, args.max_failures)


def read_responses(path: Path) -> dict[str, str | None]:
    """Read ``{"id", "text"}`` lines; a repeated id or a malformed line is refused."""
    responses: dict[str, str | None] = {}
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from None
    for number, line in enumerate(lines, start=1):
        if line.strip():
            sample_id, text = _response(line, f"{path}, line {number}")
            if sample_id in responses:
                raise DatasetError(f"{path}, line {number}: id {sample_id!r} stands twice")
            responses[sample_id] = text
    return responses


def _response(line: str, where: str) -> tuple[str, str | None]:
    try:
        fields = json.loads(line)
        sample_id, text = fields["id"], fields["text"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise DatasetError(f'{where}: expected {{"id": ..., "text": ...}} ({error})') from None
    if not isinstance(sample_id, str) or not (text is None or isinstance(text, str)):
        raise DatasetError(f"{where}: id must be a string and text a string or null")
    return sample_id, text


def _planned(args: Namespace) -> PlannedTask:
    selection, include_path = args.task, args.include_path
    task = registry.get(registry.name_of(selection), include_path)
    preset = task.protocol("official")
    name = args.scorer or preset.scorer.partition("@")[0]
    scorer = pick_scorer(task, name, judge_config(args))
    questions, fingerprint = select(task, args.data, selection)
    protocol = replace(
        preset,
        suite=STORED,
        template=STORED,
        frames=None,
        sampling=None,
        scorer=scorer.tag,
    )
    return PlannedTask(
        selection=selection,
        task=task,
        protocol=protocol,
        scorer=scorer,
        samples=questions.samples,
        fingerprint=fingerprint,
    )


def _records(planned: PlannedTask, responses: Mapping[str, str | None]) -> dict[str, Record]:
    from harness.backends.replay import ReplayBackend
    from harness.run.runner import make_record

    known = {sample.id: sample for sample in planned.samples}
    unknown = [sample_id for sample_id in responses if sample_id not in known]
    if unknown:
        raise DatasetError(
            f"{len(unknown)} responses have ids that {planned.selection} does not have,"
            f" first: {unknown[0]!r}; its ids look like {next(iter(known))!r}"
        )
    texts = {sample_id: text for sample_id, text in responses.items() if text is not None}
    answers = ReplayBackend(texts).generate(map(_request, responses))
    return {
        request.id: make_record(planned, known[request.id], answer) for request, answer in answers
    }


def _request(sample_id: str) -> Request:
    """Ask for a stored text; how it was prompted and sampled is not known here."""
    from harness.schema import Prompt, Request, Sampling

    unknown = Sampling(temperature=0.0, max_tokens=0)
    return Request(id=sample_id, prompt=Prompt(text=""), sampling=unknown)


def _keep(args: Namespace, plan: Plan, records: Mapping[str, Record]) -> None:
    from hashlib import sha256

    from harness.run.manifest import make_manifest
    from harness.run.store import RunWriter

    content = sha256(args.responses.read_bytes()).hexdigest()
    manifest = make_manifest(
        plan,
        model=args.responses.name,
        checkpoint={"name": args.responses.name, "kind": STORED, "sha256": content},
        backend="replay",
        limit=None,
        argv=sys.argv,
    )
    with RunWriter(args.out, manifest) as run:
        done = run.finished()
        for record in records.values():
            if record.id not in done:
                run.append(record)
