"""Reads training rows in the Video-R1 format from JSON and JSON Lines files.

A row has ``problem``, ``options`` (``"A. text"``), ``path``, ``data_type``, ``problem_type``,
``solution`` (``<answer>C</answer>``) and, for SFT, ``process`` (``<think>...</think>``);
docs/train.md describes every field, docs/sources.md names the source. Media files are located
here and opened by `trainer.data.checks`.
"""

from __future__ import annotations

import os
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
from harness.scoring.spans import parse_gold
from tasks.files import Row, check_name, inside, read_rows
from trainer.data.options import unlabelled

TASK = "train"

_READ = (
    "problem_id", "problem", "options", "solution", "process", "path", "data_type", "problem_type",
)  # fmt: skip
_OTHER_MEDIA = (
    "video", "videos", "image", "images", "video_path", "image_path", "video_paths", "image_paths",
    "media",
)  # fmt: skip
"""Fields in which other formats name media; here they are under ``path``."""


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
    TEXT = "text that the tokenizer does not take as text"
    OPTIONS = "option letters"
    ANSWER = "answer does not fit its type"
    UNPAID = "gold answer earns no reward"
    DUPLICATE = "duplicate id"
    RATIONALE = "empty rationale"
    INPUTS = "no model inputs"
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
    for path, prefix in zip(files, id_prefixes(files), strict=True):
        for position, row in enumerate(read_rows(path)):
            try:
                _require_text(row)
                yield _parse_row(row, _row_id(row, prefix, position), media_roots)
            except _RowError as error:
                yield BadRow(fault=error.fault, where=row.where, message=str(error))
            except DatasetError as error:
                message = str(error).removeprefix(f"{row.where}: ")
                yield BadRow(fault=Fault.FIELD, where=row.where, message=message)


def id_prefixes(files: Sequence[Path]) -> list[str]:
    """Return what the ids of each file's rows begin with: its stem, or as much as differs.

    ``rows`` for ``data/rows.json`` alone; ``a/rows`` and ``b/rows`` for files of one name in two
    folders.

    Raises:
        DatasetError: A file is named twice.
    """
    plain = [Path(os.path.normpath(path)) for path in files]
    found = []
    for path in plain:
        others = [other for other in plain if other is not path]
        if path in others:
            raise DatasetError(f"data.rows names {path} twice")
        names = (Path(*path.parts[-count:]) for count in range(1, len(path.parts) + 1))
        ends = (str(name.with_suffix("")) for name in names if _differs(name, others))
        found.append(next(ends, str(path)))
    return found


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


def _differs(name: Path, others: Sequence[Path]) -> bool:
    """Return whether no other file ends in the same parts, apart from its suffix."""
    parts = name.with_suffix("").parts
    return all(other.with_suffix("").parts[-len(parts) :] != parts for other in others)


def _require_text(row: Row) -> None:
    """Raise where a field that is read held something that is no text, such as half a UTF-16 pair.

    The reader of files has put U+FFFD in its place (`harness.text.stored`).
    """
    for name in _READ:
        value = row.fields.get(name)
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and "\ufffd" in text:
                raise _RowError(
                    Fault.TEXT,
                    f"{name}: character {text.index(chr(0xFFFD))} is half of a UTF-16 pair or was"
                    " no text in another way (it is read as U+FFFD)",
                )


def _row_id(row: Row, prefix: str, position: int) -> str:
    known = row.fields.get("problem_id") is not None
    return f"{prefix}/{row.scalar('problem_id')}" if known else f"{prefix}/row-{position}"


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
    try:
        return unlabelled(options)
    except ValueError as error:
        raise _RowError(Fault.OPTIONS, str(error)) from None


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
    if kind is Kind.SPAN:
        try:
            parse_gold(gold)
        except ValueError as error:
            raise _RowError(Fault.ANSWER, str(error)) from None
    return gold


def _find_media(row: Row, roots: Sequence[Path]) -> tuple[Media, ...]:
    other = next((name for name in _OTHER_MEDIA if row.fields.get(name)), None)
    if not row.fields.get("path"):
        if other is not None:
            raise row.bad(other, "nothing: the medium of a row is under 'path'")
        if row.fields.get("data_type") not in (None, "", "text"):
            raise row.bad("path", f"a file, as data_type is {row.fields['data_type']!r:.20}")
        return ()  # a question without media
    if isinstance(row.fields["path"], list):
        raise row.bad("path", "one file: rows of several media are not trained on")
    if other is not None and row.fields[other] not in (row.fields["path"], [row.fields["path"]]):
        raise row.bad(other, "nothing beside 'path': rows of several media are not trained on")
    kind = row.text("data_type")
    if kind not in (MediaKind.VIDEO, MediaKind.IMAGE):
        raise row.bad("data_type", "'video' or 'image'")
    paths = list(_candidate_paths(row, roots))
    found = next((path for path in paths if path.exists()), paths[0])
    return (Media(path=found, kind=MediaKind(kind)),)


def _candidate_paths(row: Row, roots: Sequence[Path]) -> Iterator[Path]:
    """Yield where a media file may be: below each root, also without the root's own name.

    Published paths begin with the name of the folder they were packed from (``./Evaluation/...``),
    and the root may be that folder or the one above it. An absolute path lies below a root.
    """
    given = check_name(row.text("path"), row.where)
    if given.is_absolute():
        if not any(given.is_relative_to(root.absolute()) for root in roots):
            raise row.bad("path", "a relative path, or one below data.media_roots")
        yield given
        return
    for root in roots:
        place = inside(root, str(given), row.where)
        yield place
        first, *rest = place.relative_to(root).parts
        if rest and first == root.name:
            yield root.joinpath(*rest)
