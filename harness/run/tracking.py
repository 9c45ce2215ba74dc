"""Tells trackers of a run: what it is when it starts, its scores and some items when it ends."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.run.config import TrackConfig
from harness.run.result import Run
from harness.run.samples_file import StoredSample, read_samples
from harness.run.store import CLAIM, identity, read_records
from harness.run.timing import Timing
from harness.schema import Outcome, Record, TaskSummary
from harness.text.shown import one_line
from harness.trackers.api import Cell, ItemTable, TrackedRun
from harness.trackers.choose import start_trackers
from harness.trackers.guard import GuardedTrackers
from harness.trackers.redact import redact

COLUMNS = (
    "id", "repeat", "category", "video", "outcome", "value", "question", "options", "gold",
    "answer", "text", "reasoning", "output tokens", "failure",
)  # fmt: skip
"""Columns of a table of items."""

_CONFIG = (
    "model", "named", "checkpoint", "backend", "tasks", "limit", "choice", "protocol",
    "protocol_hash", "data", "engine", "numeric", "packages", "python", "gpus", "git_commit",
)  # fmt: skip
"""Fields of ``run.json`` that are sent; the command line and local folders are not."""
_WORST_FIRST = (
    Outcome.FAILED, Outcome.REFUSED, Outcome.TRUNCATED, Outcome.NO_ANSWER, Outcome.WRONG,
    Outcome.PARTIAL, Outcome.CORRECT,
)  # fmt: skip
_TEXT_LENGTH = 2_000
_NAME_LENGTH = 120


@contextmanager
def track_runs(
    config: TrackConfig, runs: Mapping[Path, Mapping[str, Any]], folder: Path
) -> Iterator[GuardedTrackers]:
    """Start trackers for one run or several that belong together, and end them with the block.

    Args:
        config: Which trackers, and under which names.
        runs: ``run.json`` by run directory; the first one is the tracker's configuration.
        folder: The run directory, or the folder that the run directories lie in.

    Raises:
        UsageError: A tracker cannot start.
        RunMismatchError: A folder holds another run, of which no tracker is to be told.
    """
    if config.report_to:
        for out, manifest in runs.items():
            CLAIM.check(out, manifest)
    manifest = next(iter(runs.values()))
    content = {name: manifest[name] for name in _CONFIG if name in manifest}
    with track(config, content, folder, same=identity(manifest)) as trackers:
        yield trackers


@contextmanager
def track(
    config: TrackConfig,
    content: Mapping[str, Any],
    folder: Path,
    *,
    same: Mapping[str, Any] | None = None,
) -> Iterator[GuardedTrackers]:
    """Start trackers for anything that has a folder, and end them at the end of the block.

    Args:
        config: Which trackers, and under which names.
        content: What it is, as JSON types; sent without secrets.
        folder: Its folder.
        same: What stays the same when it is resumed; None: `content`.

    Raises:
        UsageError: A tracker cannot start.
    """
    run = TrackedRun(
        project=config.track_project,
        name=clean_name(config.track_name or folder.absolute().name),
        id=_make_id(content if same is None else same, folder),
        folder=folder,
        config=redact(content),
    )
    trackers = start_trackers(config.report_to, run)
    try:
        yield trackers
    except BaseException:
        trackers.close(failed=True)
        raise
    trackers.close(failed=False)


def report_run(
    trackers: GuardedTrackers, run: Run, items: int, *, step: int = 0, prefix: str = ""
) -> None:
    """Send the scores, outcomes and timing of a finished run, and tables of its items.

    Args:
        trackers: Where to.
        run: The run.
        items: Most rows of all tables together; 0: no tables.
        step: Where in the history of the tracker, for example a training step.
        prefix: What all names begin with, for example a variant and ``/``.
    """
    if not trackers:
        return
    scores = {**run_scores(run.scores), **_timing_scores(run.timing)}
    trackers.log_scores({f"{prefix}{name}": value for name, value in scores.items()}, step)
    for table in item_tables(read_records(run.folder), read_samples(run.folder), items, prefix):
        trackers.log_table(table, step)


def run_scores(summaries: Mapping[str, TaskSummary]) -> dict[str, float]:
    """Return the numbers of some tasks by name; what is not known is left out."""
    found: dict[str, float | int | None] = {}
    for task, summary in summaries.items():
        low, high = summary.ci95 or (None, None)
        found |= {
            f"{task}/score": summary.score,
            f"{task}/ci95_low": low,
            f"{task}/ci95_high": high,
            f"{task}/se": summary.se,
            f"{task}/items": summary.n,
            f"{task}/videos": summary.n_clusters,
            f"{task}/missing": summary.missing,
            f"{task}/dropped": summary.dropped,
        }
        found |= {f"{task}/outcomes/{name}": count for name, count in summary.outcomes.items()}
        found |= {
            f"{task}/categories/{name}": line["score"] for name, line in summary.breakdown.items()
        }
        found |= {f"{task}/{name}": value for name, value in summary.extra.items()}
        found |= _repeat_scores(task, summary)
    return {
        clean_name(name): float(value)
        for name, value in found.items()
        if value is not None and math.isfinite(value)
    }


def item_tables(
    records: Iterable[Record],
    samples: Mapping[str, StoredSample],
    count: int,
    prefix: str = "",
) -> list[ItemTable]:
    """Return one table per task with at most `count` items together.

    Items without an answer come first, then wrong ones; the tasks have equal shares.
    """
    tasks: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        tasks[record.task].append(record)
    tables = []
    for number, (task, found) in enumerate(tasks.items()):
        share = (count + number) // len(tasks)
        found.sort(key=lambda record: (_WORST_FIRST.index(record.outcome), record.key))
        rows = [_item_row(record, samples.get(record.id)) for record in found[:share]]
        if rows:
            name = clean_name(f"{prefix}items/{task}")
            tables.append(ItemTable(name=name, columns=COLUMNS, rows=rows))
    return tables


def clean_name(name: str) -> str:
    """Return a name that every tracker takes: letters, digits and a few marks, not too long."""
    return re.sub(r"[^\w./*: -]", "_", one_line(name))[:_NAME_LENGTH] or "_"


def _repeat_scores(task: str, summary: TaskSummary) -> dict[str, float | None]:
    repeats = summary.repeats
    if repeats is None:
        return {}
    figures = {f"pass_at_{k}": one for k, one in repeats.pass_at.items()}
    figures |= {"majority": repeats.majority, "changed": repeats.changed}
    return {f"{task}/{name}": one.score for name, one in figures.items() if one is not None}


def _timing_scores(timing: Timing | None) -> dict[str, float]:
    if timing is None:
        return {}
    return {
        "timing/items_per_s": timing.items_per_s,
        "timing/tokens_per_s": timing.tokens_per_s,
        "timing/start_s": timing.start_s,
        "timing/answer_s": timing.answer_s,
    }


def _item_row(record: Record, sample: StoredSample | None) -> tuple[Cell, ...]:
    failure = record.failure
    why = None if failure is None else f"{failure.stage}: {failure.error}: {failure.message}"
    return (
        record.id,
        record.repeat,
        record.category,
        record.cluster,
        record.outcome.value,
        record.value,
        None if sample is None else _cut_text(sample.question),
        None if sample is None else _cut_text(" | ".join(sample.options)),
        record.gold,
        _cut_text(record.answer),
        _cut_text(record.text),
        _cut_text(record.reasoning),
        record.output_tokens,
        _cut_text(why),
    )


def _cut_text(text: str | None) -> str | None:
    if text is None or len(text) <= _TEXT_LENGTH:
        return text
    return f"{text[:_TEXT_LENGTH]}… ({len(text):,} characters)"


def _make_id(content: Mapping[str, Any], folder: Path) -> str:
    """Return an id that a resumed run has, too, and no other one."""
    text = json.dumps([content, str(folder.resolve())], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
