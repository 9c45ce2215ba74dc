"""Writes one run as Hugging Face evaluation results, for ``.eval_results/`` of a model repository.

Form: https://huggingface.co/docs/hub/eval-results (read in November 2026, "work in progress"
there): a list of ``dataset`` {id, task_id}, ``value``, ``date``, ``source``, ``notes``. The hub
takes results only for datasets registered as benchmarks, and ``task_id`` must be one that the
dataset's own ``eval.yaml`` defines. We write the selected config, or ``default``: the publishers'
``eval.yaml`` files could not be seen, so check it before you upload. A task without a hub dataset
is named in a comment. Every frame order needs a file of its own, hence one run per file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from harness.board.cells import Cell
from harness.board.entry import Entry
from harness.board.rows import Board
from harness.board.table import score_text
from harness.errors import UsageError
from harness.task import registry
from harness.text.shown import one_line


def to_eval_results(board: Board, entry: Entry) -> str:
    """Write the YAML of the one run on a board.

    Raises:
        UsageError: The run has missing or failed items, asked only a part of a benchmark, or has a
            score that is not comparable.
    """
    if not board.ranked:
        raise UsageError(
            f"{entry.folder}: cannot be published: {'; '.join(board.below[0].reasons)}"
        )
    if entry.partial:
        parts = "; ".join(f"{task}: only {part}" for task, part in entry.partial.items())
        raise UsageError(f"{entry.folder}: cannot be published: {parts} were asked")
    [row] = board.ranked
    lines: list[str] = []
    for task, cell in row.cells.items():
        notes = f"95 % CI {score_text(cell.score, cell.ci95)}; {row.frames} frames, {row.variant}"
        lines += _format_result(entry, task, cell, notes)
    return "".join(f"{line}\n" for line in lines)


def _format_result(entry: Entry, task: str, cell: Cell, notes: str) -> Iterator[str]:
    installed = task in registry.installed()
    source = registry.get(task).source if installed else None
    if source is None or cell.score is None:
        yield f"# {one_line(task)}: left out, it has no dataset on the hub or no score"
        return
    config = registry.config_of(entry.settings[task]["selection"])
    yield "- dataset:"
    yield f"    id: {json.dumps(source.repo)}"
    yield f"    task_id: {json.dumps(config or 'default')}"
    yield f"  value: {cell.score:.2f}"
    yield f"  date: {json.dumps(entry.created)}"
    yield f"  notes: {json.dumps(f'{notes}; scorer {cell.scorer}; protocol {cell.protocol}')}"
