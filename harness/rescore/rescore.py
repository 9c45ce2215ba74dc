"""Stored responses under another scorer: new scores, and what changed for which reason.

A run keeps its texts, so that a scorer is a choice that can be made again. The data folder is read
for the questions and has to be the one the run was made with. What comes out lies beside the
records, which stay as they are: ``scores-NAME.jsonl`` has one line per item, ``scores-NAME.json``
the summaries.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import DatasetError, RunMismatchError
from harness.files import write_json
from harness.rescore.reasons import (
    Reason,
    differ,
    reason,
)
from harness.run.config import JudgeConfig
from harness.run.plan import (
    Plan,
    PlannedTask,
    pick_scorer,
    select,
    stratified,
)
from harness.run.runner import make_record
from harness.run.summary import Results
from harness.schema import Completion, FramePolicy, Record, Sample, Sampling, Score
from harness.task import registry
from harness.task.protocol import Protocol

FIELDS = ("id", "task", "outcome", "value", "answer", "scorer", "failure")
"""What a line of a score file holds; the rest is in the records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An item that another scorer gives another value."""

    sample: Sample
    before: Record
    after: Record
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class NewScorer:
    """What texts are scored with, and where the questions are."""

    name: str
    data: Path
    judge: JudgeConfig | None = None
    include_path: Path | None = None


def plan_again(manifest: Mapping[str, Any], choice: NewScorer) -> Plan:
    """Return the plan of a stored run with another scorer.

    Raises:
        UsageError: A task without that scorer, or a scorer whose package is not installed.
        RunMismatchError: The data folder holds other questions than the run was made with.
    """
    return Plan(tuple(_planned(selection, manifest, choice) for selection in manifest["tasks"]))


def plan_as_stored(plan: Plan, manifest: Mapping[str, Any]) -> Plan:
    """Return `plan` with the scorers that the run's records were made with, to summarise them."""
    return Plan(
        tuple(_with_stored_scorer(p, manifest["protocol"][p.task.name]) for p in plan.tasks)
    )


def score_again(plan: Plan, records: Iterable[Record]) -> dict[str, Record]:
    """Score every stored text; an item without one keeps its failure."""
    known = {s.id: (planned, s) for planned in plan.tasks for s in planned.samples}
    scored = {}
    for record in records:
        if record.id not in known:
            raise DatasetError(f"{record.id}: the run has a record of it, its questions have not")
        scored[record.id] = _rescored(*known[record.id], record)
    return scored


def find_changes(
    planned: PlannedTask, before: Mapping[str, Record], after: Mapping[str, Record]
) -> list[Change]:
    """List the items of one task whose values differ, in the order of the questions."""
    return [
        Change(
            sample=sample,
            before=before[sample.id],
            after=after[sample.id],
            reason=reason(
                sample,
                before[sample.id].text or "",
                _score(before[sample.id]),
                _score(after[sample.id]),
            ),
        )
        for sample in planned.samples
        if sample.id in before and differ(_score(before[sample.id]), _score(after[sample.id]))
    ]


def write_scores(
    folder: Path, name: str, plan: Plan, results: Results, records: Mapping[str, Record]
) -> Path:
    """Write the second score file of a run and its summaries; return the former."""
    path = folder / f"scores-{slug(name)}.jsonl"
    rows = ({field: asdict(r)[field] for field in FIELDS} for r in records.values())
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    beside = path.with_name(f".{path.name}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
    summaries = {task: asdict(summary) for task, summary in results.tasks.items()}
    protocols = plan.identity()["protocol"]
    write_json(path.with_suffix(".json"), {"tasks": summaries, "protocol": protocols})
    return path


def slug(name: str) -> str:
    """Return a scorer's name as a part of a file name."""
    return re.sub(r"[^\w.+-]+", "-", name)


def _planned(selection: str, manifest: Mapping[str, Any], choice: NewScorer) -> PlannedTask:
    name = registry.name_of(selection)
    task = registry.get(name, choice.include_path)
    questions, fingerprint = select(task, choice.data, selection)
    scorer = pick_scorer(task, choice.name, choice.judge)
    stored = manifest["data"][name]
    samples = stratified(questions.samples, manifest["limit"])
    if (len(samples), fingerprint) != (stored["items"], stored["sha256"]):
        raise RunMismatchError(
            f"{selection}: {choice.data} holds other questions than the run was made with:"
            f" {len(samples)} items, sha256 {fingerprint}; the run has {stored['items']} items,"
            f" sha256 {stored['sha256']}. Name its data with --data"
        )
    return PlannedTask(
        selection=selection,
        task=task,
        protocol=_protocol(manifest["protocol"][name], scorer.tag),
        scorer=scorer,
        samples=samples,
        fingerprint=fingerprint,
    )


def _with_stored_scorer(planned: PlannedTask, stored: Mapping[str, Any]) -> PlannedTask:
    name, _, version = stored["scorer"].rpartition("@")
    # A judge (``official+judge:model@1``) helps a rule and leaves its aggregation as it is.
    known = planned.task.scorers[name.partition("+judge")[0]]
    scorer = replace(known, name=name, version=int(version))
    return replace(planned, scorer=scorer, protocol=_protocol(stored, scorer.tag))


def _protocol(stored: Mapping[str, Any], scorer: str) -> Protocol:
    """Read a stored protocol; only the scorer is another."""
    fields = {name: value for name, value in stored.items() if name != "hash"}
    return Protocol(
        **{
            **fields,
            "frames": fields["frames"] and FramePolicy(**fields["frames"]),
            "sampling": fields["sampling"] and Sampling(**fields["sampling"]),
            "scorer": scorer,
        }
    )


def _rescored(planned: PlannedTask, sample: Sample, record: Record) -> Record:
    if record.text is None:
        return replace(record, scorer=planned.scorer.tag)
    stored = Completion(text=record.text, finish_reason=record.finish_reason or "stop")
    fresh = make_record(planned, sample, stored)
    return replace(
        record,
        outcome=fresh.outcome,
        value=fresh.value,
        answer=fresh.answer,
        scorer=fresh.scorer,
        failure=fresh.failure,
    )


def _score(record: Record) -> Score:
    return Score(value=record.value, outcome=record.outcome, answer=record.answer)
