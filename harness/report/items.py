"""Orders the items of a report and writes the index that the page's list is made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from harness.report.answers import Answers
from harness.report.scripts import shown, write_script
from harness.run.samples_file import StoredSample
from harness.schema import Outcome, Record

_SNIPPET = 160
"""Characters of a question in the list."""
_ANSWER = 48
"""Characters of an answer in the list."""
_DIGITS = re.compile(r"(\d+)")

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a report, as its runs know it."""

    id: str
    task: str
    category: str
    cluster: str
    gold: str


def list_items(runs: Sequence[Answers], samples: Mapping[str, StoredSample]) -> list[Item]:
    """Return every question that a run was asked, by task, video and id."""
    found: dict[str, Item] = {}
    for run in runs:
        for name, record in run.items.items():
            if name not in found:
                sample = samples.get(name)
                gold = record.gold if sample is None else sample.gold
                found[name] = Item(name, record.task, record.category, record.cluster, gold)
    for name, sample in samples.items():
        if name not in found:
            found[name] = Item(name, sample.task, sample.category, sample.cluster, sample.gold)
    tasks = dict.fromkeys(task for run in runs for task in run.source.manifest["protocol"])
    named = dict.fromkeys([*tasks, *(item.task for item in found.values())])
    order = {task: number for number, task in enumerate(named)}
    return sorted(
        found.values(),
        key=lambda item: (order[item.task], _natural(item.cluster), _natural(item.id)),
    )


def write_index(
    folder: Path,
    items: Sequence[Item],
    runs: Sequence[Answers],
    samples: Mapping[str, StoredSample],
    blocks: Sequence[int],
) -> None:
    """Write one column per field of the list, with names as numbers of a table.

    Args:
        folder: The folder of the scripts.
        items: The questions in the order of the list.
        runs: The runs in the order of the report.
        samples: What is known of the questions.
        blocks: Position of the first item of each block of texts.
    """
    index: dict[str, Any] = {
        "blocks": list(blocks),
        "outcomes": [outcome.value for outcome in Outcome],
        "id": [shown(item.id) for item in items],
        "gold": [_cut(item.gold, _ANSWER) for item in items],
        "question": [_question(samples.get(item.id)) for item in items],
        **{
            name: _coded([shown(getattr(item, name)) for item in items])
            for name in ("task", "category", "cluster")
        },
        "runs": [_run_columns(run, items) for run in runs],
    }
    write_script(folder, "index", index)


def _run_columns(run: Answers, items: Sequence[Item]) -> dict[str, Any]:
    codes = {outcome: code for code, outcome in enumerate(Outcome)}
    scores = _disagreements(run)

    def column(read: Callable[[Record], Value]) -> list[Value | None]:
        found = (run.items.get(item.id) for item in items)
        return [None if record is None else read(record) for record in found]

    return {
        "label": shown(run.source.label),
        "outcome": column(lambda record: codes[record.outcome]),
        "value": column(lambda record: _rounded(record.value)),
        "answer": column(lambda record: _cut(record.answer, _ANSWER)),
        "tokens": column(lambda record: record.output_tokens),
        "seconds": column(lambda record: round(record.generate_s, 2)),
        "disagree": [at for at, item in enumerate(items) if item.id in scores],
    }


def _disagreements(run: Answers) -> set[str]:
    """Return the items to which another scorer gives another value."""
    return {
        key[0]
        for lines in run.scores.values()
        for key, line in lines.items()
        if key in run.records and line.value != run.records[key].value
    }


def _coded(names: Sequence[str | None]) -> dict[str, Any]:
    """Return a column as a table of its different values and one number per row."""
    table = {name: code for code, name in enumerate(dict.fromkeys(names))}
    return {"names": list(table), "codes": [table[name] for name in names]}


def _question(sample: StoredSample | None) -> str | None:
    return None if sample is None else _cut(" ".join(sample.question.split()), _SNIPPET)


def _cut(text: str | None, length: int) -> str | None:
    if text is None:
        return None
    return shown(text if len(text) <= length else f"{text[: length - 1]}…")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _natural(text: str) -> tuple[tuple[int, str], ...]:
    """Return a key by which ``video_10`` comes behind ``video_9``."""
    parts: Iterable[str] = _DIGITS.split(text)
    return tuple((len(part), part) if part.isdecimal() else (0, part) for part in parts)
