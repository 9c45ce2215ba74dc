"""Sorts runs into blocks of one protocol, and says why a run is not ranked within its block.

Scores are compared within a block only: the same model with 16, 32 and 64 frames is three numbers.
Within a block a run is not ranked if it was asked other questions than most, if items are missing
or failed, or if its score is not a mean of items that can be computed here.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.board.cells import aggregation_of, has_own_total
from harness.board.entry import Entry, Setting
from harness.board.same_protocol import protocol_fields, same_protocol
from harness.files import diff


def find_blocks(entries: Sequence[Entry]) -> list[list[int]]:
    """Return the positions of entries by block, the largest block first.

    Of blocks of equal size the one whose first run is named first comes first.
    """
    blocks: list[list[int]] = []
    for position, entry in enumerate(entries):
        fitting = (
            block
            for block in blocks
            if all(same_protocol(entries[member], entry) for member in block)
        )
        block = next(fitting, None)
        if block is None:
            blocks.append([position])
        else:
            block.append(position)
    return sorted(blocks, key=lambda block: -len(block))


def block_differences(entries: Sequence[Entry], others: Sequence[Entry]) -> tuple[str, ...]:
    """Return in what the protocols of a block differ from those of another one, task by task."""
    tasks: dict[str, list[str]] = {}
    for task, ours in _protocols(entries).items():
        theirs = _protocols(others).get(task)
        lines = [] if theirs is None else diff(protocol_fields(ours), protocol_fields(theirs))
        for line in lines:
            tasks.setdefault(line, []).append(task)
    return tuple(f"{', '.join(names)}: {line}" for line, names in tasks.items())


def _protocols(entries: Sequence[Entry]) -> dict[str, Mapping[str, Any]]:
    return {
        task: setting["protocol"] for entry in entries for task, setting in entry.settings.items()
    }


def reasons_not_to_rank(entry: Entry, block: Sequence[Entry]) -> tuple[str, ...]:
    """Return every reason not to rank a run; tasks with the same reason share one line."""
    tasks: dict[str, list[str]] = {}
    for task in entry.settings:
        for reason in _task_reasons(entry, task, _usual_setting(block, task)):
            tasks.setdefault(reason, []).append(task)
    return tuple(f"{', '.join(names)}: {reason}" for reason, names in tasks.items())


def _usual_setting(entries: Sequence[Entry], task: str) -> Setting:
    """Return the setting of most runs; of several equally frequent ones, the first."""
    settings = [entry.settings[task] for entry in entries if task in entry.settings]
    keys = [json.dumps(_comparable_fields(setting), sort_keys=True) for setting in settings]
    [(key, _)] = Counter(keys).most_common(1)
    return settings[keys.index(key)]


def _comparable_fields(setting: Setting) -> dict[str, Any]:
    """Return what has to be equal in two runs of a block: which questions were asked."""
    return {"data": setting["data"], "selection": setting["selection"]}


def _task_reasons(entry: Entry, task: str, usual: Setting) -> Iterator[str]:
    setting, answers = entry.settings[task], entry.answers[task]
    fields = diff(_comparable_fields(setting), _comparable_fields(usual))
    if fields:
        yield f"different settings (this run != the others): {'; '.join(fields)}"
    items, repeats = setting["data"]["items"], setting["protocol"].get("repeats", 1)
    asked, answered = items * repeats, answers.n_records
    unit = "items" if repeats == 1 else "answers"
    if answered < asked:
        yield f"{asked - answered} of {asked} {unit} have no record"
    if answered > asked:
        yield f"{answered} {unit} have a record, expected {asked}"
    if answers.failed_items:
        yield f"{answers.failed_items} of {items} items failed"
    if has_own_total(entry, task):
        yield "official score is not a per-item mean; no confidence interval, not ranked"
    elif aggregation_of(entry, task) is None:
        scorer = setting["protocol"]["scorer"]
        yield f"scorer {scorer} is not installed here; the score is the one in summary.json"
