"""Scores the stored texts of a run with another scorer and lists what changes.

The data folder is read for the questions and has to be the one the run was made with. The results
are written beside the records, which stay unchanged: ``scores-NAME.jsonl`` has one line per item,
``scores-NAME.json`` the summaries.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import DatasetError, RunMismatchError, UsageError
from harness.files import write_json, write_json_lines
from harness.rescore.reasons import Reason, find_reason, scores_differ
from harness.run.config import JudgeConfig
from harness.run.items import ItemChoice
from harness.run.manifest_shape import require_plan
from harness.run.plan import Plan, PlannedTask, with_moved_options
from harness.run.protocols import pick_scorer
from harness.run.record import make_record
from harness.run.selections import find_tasks, select
from harness.run.store import MANIFEST, read_manifest, read_records
from harness.run.stored_plan import stored_protocol, stored_scorer
from harness.run.summary import Results, summarise_run
from harness.schema import Completion, ItemKey, Outcome, Record, Sample, Score
from harness.scoring.reasoning.marks import IN_TEXT
from harness.task import registry
from harness.task.api import Task
from harness.task.local_results import local_of
from harness.task.protocol import Protocol
from harness.task.selection import CODE, file_of

_ADVICE = "Name the run's data folder with --data"
_LOCAL_ADVICE = "The file has changed since; bring it back, or name it as it was with --tasks"

FIELDS = ("id", "repeat", "task", "outcome", "value", "answer", "scorer", "rule", "failure")
"""Fields of a line in a score file; the others are in the records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RescoreConfig:
    """The scorer to use, and where the questions are."""

    scorer: str
    """Name of a scorer that every task of the run has, without a version."""
    data: Path
    """Folder that holds one folder per benchmark."""
    judge: JudgeConfig | None = None
    include_path: Path | None = None
    """Folder of the run's own lmms-eval tasks."""
    files: tuple[str, ...] = ()
    """Files of the run's local benchmarks; a table is found where the run says, a class is not
    run before the user names its file."""
    reasoning: str = IN_TEXT
    """How thoughts are split off texts that still hold them (`Protocol.reasoning`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedItem:
    """An item to which the other scorer gives another value."""

    sample: Sample
    before: Record
    after: Record
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class RescoredRun:
    """A run under its own and under another scorer."""

    before: Results
    after: Results
    changed: Mapping[str, Sequence[ChangedItem]]
    """Items whose values differ, by task, in the order of the questions."""
    scores_file: Path
    """``scores-NAME.jsonl`` in the run directory."""


def rescore_run(folder: Path, config: RescoreConfig) -> RescoredRun:
    """Score a run directory again and write its second score file and summaries.

    Raises:
        UsageError: `folder` is not a run directory, a task does not have that scorer, or the
            scorer's package is not installed.
        RunMismatchError: The data folder has other questions than the run was made with.
    """
    manifest = read_manifest(folder)
    require_plan(manifest, str(folder / MANIFEST))
    before = {record.key: record for record in read_records(folder)}
    plan = _plan_again(manifest, config)
    after = _score_again(plan, before.values(), _open_tasks(manifest))
    results = summarise_run(plan, after.values())
    return RescoredRun(
        before=summarise_run(_plan_as_stored(plan, manifest), before.values()),
        after=results,
        changed={p.task.name: _changed_items(p, before, after) for p in plan.tasks},
        scores_file=_write_scores(folder, config.scorer, plan, results, after),
    )


def file_part(scorer: str) -> str:
    """Return a scorer's name as a part of a file name."""
    return re.sub(r"[^\w.+-]+", "-", scorer)


def _plan_again(manifest: Mapping[str, Any], config: RescoreConfig) -> Plan:
    """Return the plan of a stored run with another scorer."""
    return Plan(tuple(_plan_task(selection, manifest, config) for selection in manifest["tasks"]))


def _plan_task(selection: str, manifest: Mapping[str, Any], config: RescoreConfig) -> PlannedTask:
    name = registry.name_of(selection)
    about = local_of(manifest, name)
    if about is None:
        task, advice = registry.get(name, config.include_path), _ADVICE
    else:
        task, advice = _find_local(name, about["file"], config.files), _LOCAL_ADVICE
    scorer = pick_scorer(task, config.scorer, config.judge)
    questions, fingerprint = select(task, config.data, selection)
    stored = manifest["data"][name]
    planned = with_moved_options(
        PlannedTask(
            selection=selection,
            task=task,
            protocol=_with_scorer(manifest["protocol"][name], scorer.tag, config.reasoning),
            scorer=scorer,
            samples=ItemChoice.of_manifest(manifest).choose(questions.samples, selection),
            fingerprint=fingerprint,
        )
    )
    samples = planned.samples
    if (len(samples), fingerprint) != (stored["items"], stored["sha256"]):
        raise RunMismatchError(
            f"{selection}: {config.data if about is None else about['file']} has other questions"
            f" than the run was made with: got {len(samples)} items, sha256 {fingerprint}; expected"
            f" {stored['items']} items, sha256 {stored['sha256']}. {advice}"
        )
    return planned


def _find_local(name: str, file: str, given: Sequence[str]) -> Task:
    """Return the local task of a run: that of a file which the user names, or the run's table."""
    tasks, _ = find_tasks(given)
    for task in tasks.values():
        if task.name == name:
            return task
    selected = file_of(file)
    if selected is None or selected.suffix == CODE:
        raise UsageError(
            f"{name} is a class in {file}, which is run only where you name it: add --tasks {file}"
        )
    try:
        return registry.find(file)
    except UsageError as error:
        raise UsageError(f"{name}: {error}; --tasks names the file where it is now") from None


def _plan_as_stored(plan: Plan, manifest: Mapping[str, Any]) -> Plan:
    """Return `plan` with the scorers that the run's records were made with, to summarise them."""
    return Plan(
        tuple(_with_stored_scorer(p, manifest["protocol"][p.task.name]) for p in plan.tasks)
    )


def _with_stored_scorer(planned: PlannedTask, stored: Mapping[str, Any]) -> PlannedTask:
    scorer = stored_scorer(planned.task, stored["scorer"])
    return replace(planned, scorer=scorer, protocol=_with_scorer(stored, scorer.tag))


def _with_scorer(stored: Mapping[str, Any], scorer: str, reasoning: str = IN_TEXT) -> Protocol:
    """Return a stored protocol with another scorer, and a rule for thoughts where it has none."""
    rule = stored.get("reasoning", IN_TEXT)
    return stored_protocol(stored, scorer=scorer, reasoning=reasoning if rule == IN_TEXT else rule)


def _open_tasks(manifest: Mapping[str, Any]) -> set[str]:
    """Return the tasks whose stored texts still hold their thoughts."""
    return {
        task
        for task, stored in manifest["protocol"].items()
        if stored.get("reasoning", IN_TEXT) == IN_TEXT
    }


def _score_again(
    plan: Plan, records: Iterable[Record], with_thoughts: Collection[str]
) -> dict[ItemKey, Record]:
    """Score every stored text; an item without one keeps its failure."""
    known = {s.id: (planned, s) for planned in plan.tasks for s in planned.samples}
    scored = {}
    for record in records:
        if record.id not in known:
            raise DatasetError(
                f"{record.id}: the run has a record of this item, but its question files do not"
                " have the item; evaluate again"
            )
        planned, sample = known[record.id]
        rule = planned.protocol.reasoning if planned.task.name in with_thoughts else IN_TEXT
        scored[record.key] = _score_record(planned, sample, record, rule)
    return scored


def _score_record(planned: PlannedTask, sample: Sample, record: Record, reasoning: str) -> Record:
    if record.text is None:
        return replace(record, scorer=planned.scorer.tag)
    stored = Completion(
        text=record.text,
        finish_reason=record.finish_reason or "stop",
        reasoning=record.reasoning,
        refused=record.outcome is Outcome.REFUSED,
    )
    fresh = make_record(planned, sample, stored, reasoning=reasoning)
    return replace(
        record,
        outcome=fresh.outcome,
        value=fresh.value,
        answer=fresh.answer,
        scorer=fresh.scorer,
        rule=fresh.rule,
        failure=fresh.failure,
    )


def _changed_items(
    planned: PlannedTask, before: Mapping[ItemKey, Record], after: Mapping[ItemKey, Record]
) -> list[ChangedItem]:
    """List the answers of one task whose values differ, in the order of the questions."""
    return [
        ChangedItem(
            sample=sample,
            before=before[key],
            after=after[key],
            reason=find_reason(
                sample, before[key].text or "", _score_of(before[key]), _score_of(after[key])
            ),
        )
        for sample in planned.samples
        for key in ((sample.id, repeat) for repeat in range(planned.protocol.repeats))
        if key in before and scores_differ(_score_of(before[key]), _score_of(after[key]))
    ]


def _score_of(record: Record) -> Score:
    return Score(value=record.value, outcome=record.outcome, answer=record.answer)


def _write_scores(
    folder: Path, scorer: str, plan: Plan, results: Results, records: Mapping[ItemKey, Record]
) -> Path:
    """Write the second score file of a run and its summaries; return the former."""
    path = folder / f"scores-{file_part(scorer)}.jsonl"
    rows = ({field: asdict(r)[field] for field in FIELDS} for r in records.values())
    write_json_lines(path, rows)
    protocols = plan.identity()["protocol"]
    write_json(path.with_suffix(".json"), {"tasks": results.as_json(), "protocol": protocols})
    return path
