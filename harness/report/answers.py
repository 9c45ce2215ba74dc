"""Reads the records of a run for a report: everything but the texts, and where these lie."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from harness.board.score_files import ScoreLine, read_score_lines
from harness.report.runs import RunSource
from harness.run.record_lines import RecordLine, walk_records
from harness.run.repeats import merge_repeats
from harness.run.store import SUMMARY
from harness.run.summary_shape import read_summary
from harness.schema import ItemKey, Record
from harness.scoring.tags import ScorerTag

_KEPT = 300
"""Characters kept of an answer; the whole one is read with the texts."""


class Shown(NamedTuple):
    """What a model saw: per clip the indices of its frames in the order shown, times and size."""

    variant: str
    indices: tuple[tuple[int, ...], ...]
    timestamps: tuple[tuple[float, ...], ...]
    sizes: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The answers of one run, without their texts."""

    source: RunSource
    records: Mapping[ItemKey, Record]
    """One record per item and repeat."""
    items: Mapping[str, Record]
    """One record per item, made of its repeats."""
    keys: Mapping[str, tuple[ItemKey, ...]]
    """The repeats of each item."""
    lines: Mapping[ItemKey, RecordLine]
    """Where the whole records lie."""
    shown: Mapping[ItemKey, Shown]
    summaries: Mapping[str, Any]
    """``summary.json``, task by task; empty without one."""
    scores: Mapping[str, Mapping[ItemKey, ScoreLine]]
    """What ``videor1 rescore`` found, by the name of the scorer."""

    def task_records(self, task: str) -> list[Record]:
        """Return the merged records of one task that have a value."""
        found = (record for record in self.items.values() if record.task == task)
        return [record for record in found if record.value is not None]


def read_answers(source: RunSource) -> Answers:
    """Read every record of a run and keep what is small.

    Raises:
        DatasetError: A file of the run is malformed; names file, line, field, expected and found.
    """
    kept: dict[ItemKey, Record] = {}
    lines: dict[ItemKey, RecordLine] = {}
    shown: dict[ItemKey, Shown] = {}
    known: dict[Shown, Shown] = {}
    for line, record in walk_records(source.folder):
        saw = Shown(record.variant, record.frame_indices, record.timestamps, record.frame_size)
        shown[record.key] = known.setdefault(saw, saw)
        kept[record.key], lines[record.key] = _without_texts(record), line
    repeats: defaultdict[str, list[Record]] = defaultdict(list)
    for record in kept.values():
        repeats[record.id].append(record)
    return Answers(
        source=source,
        records=kept,
        items={name: merge_repeats(found)[0] for name, found in repeats.items()},
        keys={name: tuple(sorted(r.key for r in found)) for name, found in repeats.items()},
        lines=lines,
        shown=shown,
        summaries=_read_summaries(source.folder / SUMMARY),
        scores=_read_scores(source.folder),
    )


def _without_texts(record: Record) -> Record:
    return replace(
        record,
        id=sys.intern(record.id),
        cluster=sys.intern(record.cluster),
        category=sys.intern(record.category),
        task=sys.intern(record.task),
        answer=record.answer and record.answer[:_KEPT],
        gold=record.gold[:_KEPT],
        text=None,
        reasoning=None,
        frame_indices=(),
        timestamps=(),
        frame_size=(),
        frame_spacing=(),
        media_notes=(),
    )


def _read_summaries(path: Path) -> Mapping[str, Any]:
    if not path.exists():
        return {}
    tasks: Mapping[str, Any] = read_summary(path)["tasks"]
    return tasks


def _read_scores(folder: Path) -> dict[str, Mapping[ItemKey, ScoreLine]]:
    """Return the score files of a run by the name of their scorer."""
    found: dict[str, Mapping[ItemKey, ScoreLine]] = {}
    for path in sorted(folder.glob("scores-*.jsonl")):
        lines = read_score_lines(path)
        if lines:
            name = ScorerTag.parse(next(iter(lines.values())).scorer).name
            found[name] = lines
    return found
