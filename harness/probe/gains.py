"""Reads a probe's folder as one run: its ordered scores, and temporal gains as further tasks.

So everything that freezes, compares and judges runs does the same with probes. The value of a
question in the task ``NAME [temporal gain]`` is its value with the frames in order minus that with
the frames shuffled, from -1 to 1; an answer that the scorer leaves out counts as 0 on both sides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.run.repeats import merge_repeats
from harness.run.samples_file import StoredSamples, read_samples
from harness.run.store import MANIFEST, is_run, read_manifest, read_records
from harness.schema import Outcome, Record, Variant
from harness.scoring.tags import column_name

_GAIN = "temporal gain"
_MARK = column_name("", _GAIN)
SPAN = 2.0
"""How far two temporal gains of one question can differ: from -1 to 1."""


def gain_column(name: str) -> str:
    """Return the name of a task's or a question's temporal gain."""
    return column_name(name, _GAIN)


def is_gain(name: str) -> bool:
    """Return whether a task is the temporal gain of another one."""
    return name.endswith(_MARK)


def is_probe_folder(folder: Path) -> bool:
    """Return whether a folder is that of a probe, finished or not; its variants lie in it."""
    return (
        folder.is_dir()
        and not (folder / MANIFEST).exists()
        and (folder / Variant.ORDERED / MANIFEST).exists()
    )


def read_run(folder: Path) -> tuple[dict[str, Any], list[Record]]:
    """Return manifest and records of a run directory, or of a probe's folder with its gains.

    A probe without the shuffled variant has no gains.

    Raises:
        UsageError: The folder is neither.
        DatasetError: A file in it is damaged.
    """
    if not is_run(folder) and is_probe_folder(folder):
        return _read_probe(folder)
    return read_manifest(folder), read_records(folder)


def read_questions(folder: Path) -> StoredSamples:
    """Return the questions of a run directory or of a probe's folder, also for its gains."""
    if is_run(folder) or not is_probe_folder(folder):
        return read_samples(folder)
    found = read_samples(folder / Variant.ORDERED)
    for name in list(found):
        found[gain_column(name)] = found[name]
    return found


def _read_probe(folder: Path) -> tuple[dict[str, Any], list[Record]]:
    ordered, shuffled = folder / Variant.ORDERED, folder / Variant.SHUFFLED
    manifest, records = read_manifest(ordered), read_records(ordered)
    if not is_run(shuffled):
        return manifest, records
    other = read_manifest(shuffled)
    tasks = [task for task in manifest["protocol"] if task in other["protocol"]]
    gains = {gain_column(task): task for task in tasks}
    joined = {
        **manifest,
        "protocol": manifest["protocol"]
        | {gain: _gain_protocol(other["protocol"][task]) for gain, task in gains.items()},
        "data": manifest["data"] | {gain: other["data"][task] for gain, task in gains.items()},
        "tasks": [*manifest.get("tasks", ()), *gains],
    }
    return joined, [*records, *_gain_records(records, read_records(shuffled))]


def _gain_protocol(shuffled: Mapping[str, Any]) -> dict[str, Any]:
    """Return the protocol of a gain: the shuffled one, with one value per question.

    It has no hash, since the repeats that a value is made of are not part of it.
    """
    kept = {name: value for name, value in shuffled.items() if name != "hash"}
    return {**kept, "repeats": 1}


def _gain_records(ordered: Sequence[Record], shuffled: Sequence[Record]) -> list[Record]:
    """Return the gain of every question that has a record in both variants."""
    before = _by_task(ordered)
    return [
        _gain(before[task][name], record)
        for task, records in _by_task(shuffled).items()
        for name, record in records.items()
        if name in before.get(task, {})
    ]


def _by_task(records: Sequence[Record]) -> dict[str, dict[str, Record]]:
    found: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        found[record.task].append(record)
    return {
        task: {one.id: one for one in merge_repeats(some, left_out=0.0)}
        for task, some in found.items()
    }


def _gain(ordered: Record, shuffled: Record) -> Record:
    failed = next((r for r in (ordered, shuffled) if r.outcome is Outcome.FAILED), None)
    texts = [one.answer or "no answer" for one in (ordered, shuffled)]
    value = (ordered.value or 0.0) - (shuffled.value or 0.0)
    return replace(
        ordered,
        id=gain_column(ordered.id),
        repeat=0,
        task=gain_column(ordered.task),
        variant=_GAIN,
        outcome=ordered.outcome if failed is None else Outcome.FAILED,
        value=value if failed is None else None,
        answer=f"in order {texts[0]}, shuffled {texts[1]}" if failed is None else None,
        text=None,
        reasoning=None,
        failure=None if failed is None else failed.failure,
    )
