"""Reads training rows in the Video-R1 format from JSON and JSON Lines files.

A row has ``problem``, ``options`` (``"A. text"``), ``path``, ``data_type``, ``problem_type``,
``solution`` (``<answer>C</answer>``) and, for SFT, ``process`` (``<think>...</think>``);
docs/train.md describes every field, docs/sources.md names the source. Media files are located
here and opened by `trainer.data.checks`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from harness.errors import DatasetError
from harness.schema import Kind, Media, MediaKind, Sample
from harness.scoring.answers import (
    answer_tag,
    letters,
    number,
)
from harness.scoring.prompts import unlettered
from tasks.files import Row, inside, read_rows

TASK = "train"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRow:
    """One question with its answer and, where the row has one, its rationale."""

    sample: Sample
    """Task ``train``; its category is the problem type, its cluster the media path."""
    solution: str
    """As in the file, ``<answer>C</answer>``."""
    rationale: str | None = None
    """The ``process`` field as in the file, usually with its ``<think>`` tags."""
    where: str = ""
    """File and row number, for messages."""


class Fault(StrEnum):
    """Why a row cannot be trained on."""

    FIELD = "malformed field"
    OPTIONS = "option letters"
    ANSWER = "answer does not fit its type"
    DUPLICATE = "duplicate id"
    RATIONALE = "empty rationale"
    MISSING = "media missing"
    UNREADABLE = "media unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that cannot be trained on, with the first fault found."""

    fault: Fault
    where: str
    message: str
    """What was expected and what the row has."""

    def __str__(self) -> str:
        return f"{self.where}: {self.fault}: {self.message}"


def read_training_rows(
    files: Sequence[Path], media_roots: Sequence[Path]
) -> tuple[TrainingRow, ...]:
    """Return every row of `files` in order; raise `DatasetError` at the first malformed one."""
    rows = []
    for row in parse_rows(files, media_roots):
        if isinstance(row, BadRow):
            raise DatasetError(str(row))
        rows.append(row)
    return tuple(rows)


def parse_rows(
    files: Sequence[Path], media_roots: Sequence[Path]
) -> Iterator[TrainingRow | BadRow]:
    """Yield every row of `files` in order, a malformed one as a `BadRow`.

    Raises:
        DatasetError: A file that cannot be read or is not a list of rows.
    """
    for path in files:
        for position, row in enumerate(read_rows(path)):
            try:
                yield _parse_row(row, _row_id(row, path, position), media_roots)
            except _RowError as error:
                yield BadRow(fault=error.fault, where=row.where, message=str(error))
            except DatasetError as error:
                message = str(error).removeprefix(f"{row.where}: ")
                yield BadRow(fault=Fault.FIELD, where=row.where, message=message)


def strip_think_tags(rationale: str) -> str:
    """Return a rationale without its ``<think>`` tags."""
    return rationale.strip().removeprefix("<think>").removesuffix("</think>").strip()


class _RowError(Exception):
    """A row has a fault that is not a malformed field."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


def _parse_row(row: Row, row_id: str, media_roots: Sequence[Path]) -> TrainingRow:
    kind = _read_kind(row)
    options = _read_options(row, kind)
    solution = row.text("solution")
    return TrainingRow(
        sample=Sample(
            id=row_id,
            task=TASK,
            question=row.text("problem"),
            options=options,
            answer=_read_gold(solution, kind, options),
            kind=kind,
            media=_find_media(row, media_roots),
            category=kind.value,
            cluster=str(row.fields.get("path") or row_id),
        ),
        solution=solution,
        rationale=row.text("process") if row.fields.get("process") is not None else None,
        where=row.where,
    )


def _row_id(row: Row, path: Path, position: int) -> str:
    known = row.fields.get("problem_id") is not None
    return f"{path.stem}/{row.scalar('problem_id')}" if known else f"{path.stem}/row-{position}"


def _read_kind(row: Row) -> Kind:
    name = row.text("problem_type")
    if name not in list(Kind):
        raise row.bad("problem_type", f"one of {', '.join(Kind)}")
    return Kind(name)


def _read_options(row: Row, kind: Kind) -> tuple[str, ...]:
    """Return the option texts without their letters, which must be A, B, C ... in order."""
    options = row.texts("options")
    if kind is not Kind.MULTIPLE_CHOICE:
        return options
    if not 2 <= len(options) <= 26:
        raise _RowError(Fault.OPTIONS, f"expected 2 to 26 options, got {len(options)}")
    bare = unlettered(options)
    if bare == options and any(re.match(r"[A-Z]\. ", option) for option in options):
        got = ", ".join(option[:2] for option in options)
        raise _RowError(
            Fault.OPTIONS, f"expected the letters {', '.join(letters(len(options)))}, got {got}"
        )
    return bare


def _read_gold(solution: str, kind: Kind, options: Sequence[str]) -> str:
    """Return the content of ``<answer>``, checked against the problem type."""
    gold = answer_tag(solution)
    if not gold:
        raise _RowError(
            Fault.ANSWER, f"expected a solution '<answer>...</answer>', got {solution!r:.80}"
        )
    if kind is Kind.MULTIPLE_CHOICE and gold not in letters(len(options)):
        raise _RowError(
            Fault.ANSWER,
            f"expected one of the letters {', '.join(letters(len(options)))}, got {gold!r:.80}",
        )
    if kind in (Kind.NUMERICAL, Kind.REGRESSION) and number(gold) is None:
        raise _RowError(Fault.ANSWER, f"expected a bare number, got {gold!r:.80}")
    return gold


def _find_media(row: Row, roots: Sequence[Path]) -> tuple[Media, ...]:
    if not row.fields.get("path"):
        return ()  # a question without media
    kind = row.text("data_type")
    if kind not in (MediaKind.VIDEO, MediaKind.IMAGE):
        raise row.bad("data_type", "'video' or 'image'")
    paths = [path for root in roots for path in _candidate_paths(root, row.text("path"), row.where)]
    found = next((path for path in paths if path.exists()), paths[0])
    return (Media(path=found, kind=MediaKind(kind)),)


def _candidate_paths(root: Path, relative: str, where: str) -> Iterator[Path]:
    """Yield where a media file may be: below the root, also without the root's own name.

    Published paths begin with the name of the folder they were packed from (``./Evaluation/...``),
    and the root may be that folder or the one above it.
    """
    place = inside(root, relative, where)
    yield place
    first, *rest = place.relative_to(root).parts
    if rest and first == root.name:
        yield root.joinpath(*rest)
