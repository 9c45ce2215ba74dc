"""Writes what stands under a board: how to read it, what rows share, why some are not ranked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.board.rows import NOT_RANKED, Board
from harness.text.shown import shortened

LEGEND = (
    "Score ± half of the 95 % confidence interval, clustered by video; in brackets the best and the"
    " worst rank that the data allow, from simultaneous comparisons of all pairs; bold or marked:"
    " significantly better than all others."
)
OUTCOMES = ("failed", "truncated", "no_answer", "refused")
"""Counts of a cell that have a column where a row has any."""
_LONGEST = 3000
"""Letters of one note."""


def notes_on(board: Board, *, outcomes: Sequence[str]) -> tuple[str, ...]:
    """Return the notes of a board's table.

    Args:
        board: The board.
        outcomes: Those of `OUTCOMES` that have a column.
    """
    notes = (
        LEGEND,
        *_average_note(board),
        *(column.note for column in board.columns if column.note),
        *_setting_notes(board),
        *_outcome_note(outcomes),
        *_block_notes(board),
        *_joined_notes(board),
        *_reason_notes(board),
        *_remark_notes(board),
    )
    return tuple(shortened(note, _LONGEST) for note in notes)


def _average_note(board: Board) -> Iterator[str]:
    if board.average_tasks:
        names = ", ".join(board.titles[task] for task in board.average_tasks)
        yield (
            f"average: unweighted mean of {names}; its interval is clustered by video over all of"
            " them; a row that lacks one has none"
        )


def _setting_notes(board: Board) -> Iterator[str]:
    """Yield one note per task: what the ranked runs share."""
    for task in board.tasks:
        title = board.titles[task]
        shared = [(row.cells[task], row.block) for row in board.ranked if task in row.cells]
        if not shared:
            yield f"{title}: no run can be ranked"
            continue
        cell = shared[0][0]
        hashes = dict.fromkeys(one.protocol for one, _ in shared)
        many = "protocols" if len(hashes) > 1 else "protocol"
        yield (
            f"{title}: {cell.items:,} items, {cell.videos:,} videos, scorer {cell.scorer},"
            f" {many} {', '.join(hashes)}"
        )


def _outcome_note(outcomes: Sequence[str]) -> Iterator[str]:
    none = [name.replace("_", " ") for name in OUTCOMES if name not in outcomes]
    if none:
        yield f"{', '.join(none)}: 0 in every row"


def _block_notes(board: Board) -> Iterator[str]:
    """Yield in what each further block differs from the first one."""
    for number, differences in board.differences.items():
        names = [row.label for row in board.rows if row.block == number]
        what = "; ".join(differences) or "no task in common with the first block"
        yield f"block {number} ({', '.join(names)}; != first block): {what}"


def _joined_notes(board: Board) -> Iterator[str]:
    for row in board.rows:
        if len(row.runs) > 1:
            yield f"{row.label}: one checkpoint under one protocol, from {', '.join(row.runs)}"


def _reason_notes(board: Board) -> list[str]:
    return [f"{NOT_RANKED}: {row.label}: {reason}" for row in board.below for reason in row.reasons]


def _remark_notes(board: Board) -> list[str]:
    return [f"{row.label}: {remark}" for row in board.rows for remark in row.remarks]
