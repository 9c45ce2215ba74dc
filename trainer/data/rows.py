"""Reads training rows in the Video-R1 format from JSON and JSON Lines files.

A row has ``problem``, ``options`` (``"A. text"``), ``path``, ``data_type``, ``problem_type``,
``solution`` (``<answer>C</answer>``) and, for SFT, ``process`` (``<think>...</think>``);
docs/rows.md describes every field, docs/sources.md names the source. Media files are located
here and opened by `trainer.data.checks`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from harness.errors import DatasetError
from harness.schema import Kind, Sample
from harness.scoring.answers import (
    MAX_OPTIONS,
    answer_tag,
    letters,
    number,
)
from harness.scoring.spans import parse_gold
from tasks.files import Row, read_rows
from trainer.data.faults import BadRow, Fault
from trainer.data.options import unlabelled
from trainer.data.row_ids import id_prefixes
from trainer.data.row_media import LISTS, find_media

TASK = "train"

_READ = (
    "problem_id", "problem", "options", "solution", "process", "path", "data_type", "problem_type",
    "images", "videos",
)  # fmt: skip
_SPAN = "span"
"""Another name of the type temporal grounding."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRow:
    """A row as far as it could be read."""

    row: TrainingRow
    """Without faults, the row; else with empty values, and its place as id, where a field has a
    fault."""
    faults: tuple[BadRow, ...] = ()
    """Every fault of its fields."""


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
    """Yield every row of `files` in order; of a malformed one, every fault as a `BadRow`.

    Raises:
        DatasetError: A file that cannot be read or is not a list of rows.
    """
    for parsed in parse_all(files, media_roots):
        yield from parsed.faults or (parsed.row,)


def parse_all(files: Sequence[Path], media_roots: Sequence[Path]) -> Iterator[ParsedRow]:
    """Yield every row of `files` in order, with every fault of its fields.

    Raises:
        DatasetError: A file that cannot be read or is not a list of rows.
    """
    for path, prefix in zip(files, id_prefixes(files), strict=True):
        for position, row in enumerate(read_rows(path)):
            yield _parse_row(row, prefix, position, media_roots)


def strip_think_tags(rationale: str) -> str:
    """Return a rationale without its ``<think>`` tags."""
    return rationale.strip().removeprefix("<think>").removesuffix("</think>").strip()


class _RowError(Exception):
    """A row has a fault that is not a malformed field."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the fields of one row, and collects what is wrong with them."""

    row: Row
    kind: Kind | None
    faults: list[BadRow] = field(default_factory=list)

    def read(self, get: Callable[[], Value], otherwise: Value) -> Value:
        """Return what `get` returns, `otherwise` and one fault more where it raises."""
        try:
            return get()
        except _RowError as error:
            self._add(error.fault, str(error))
        except DatasetError as error:
            self._add(Fault.FIELD, str(error).removeprefix(f"{self.row.where}: "))
        return otherwise

    def _add(self, fault: Fault, message: str) -> None:
        where = self.row.where
        self.faults.append(BadRow(fault=fault, where=where, message=message, kind=self.kind))


def _parse_row(row: Row, prefix: str, position: int, media_roots: Sequence[Path]) -> ParsedRow:
    named = row.fields.get("problem_type")
    reader = _Reader(row, Kind(named) if named in list(Kind) else None)
    for name in _READ:
        reader.read(partial(_require_text, row, name), None)
    row_id = reader.read(lambda: _row_id(row, prefix, position), row.where)
    kind = reader.read(lambda: _read_kind(row), None)
    question = reader.read(lambda: row.text("problem"), "")
    options = reader.read(lambda: _read_options(row, kind), _as_texts(row.fields.get("options")))
    solution = reader.read(lambda: row.text("solution"), "")
    gold = ""
    if isinstance(row.fields.get("solution"), str) and "\ufffd" not in solution:
        gold = reader.read(lambda: _read_gold(solution, kind, options), "")
    rationale = None
    if row.fields.get("process") is not None:
        rationale = reader.read(lambda: row.text("process"), None)
    sample = Sample(
        id=row_id,
        task=TASK,
        question=question,
        options=options,
        answer=gold,
        kind=kind or Kind.FREE_FORM,
        media=reader.read(lambda: find_media(row, media_roots), ()),
        category=(kind or Kind.FREE_FORM).value,
        cluster=_cluster(row, row_id),
    )
    whole = TrainingRow(sample=sample, solution=solution, rationale=rationale, where=row.where)
    return ParsedRow(row=whole, faults=tuple(reader.faults))


def _cluster(row: Row, row_id: str) -> str:
    """Return the path of the first medium, else the row's id."""
    fields = row.fields
    first = [fields.get("path"), *(fields[name] for name in LISTS if fields.get(name))]
    found = next((path for path in first if path), row_id)
    return str(found[0] if isinstance(found, list) else found)


def _as_texts(value: object) -> tuple[str, ...]:
    """Return the texts of a list that is no list of options; the answer is compared with these."""
    texts = value if isinstance(value, list) and len(value) <= MAX_OPTIONS else []
    return tuple(text for text in texts if isinstance(text, str))


def _require_text(row: Row, name: str) -> None:
    """Raise where a field held something that is no text, such as half a UTF-16 pair.

    The reader of files has put U+FFFD in its place (`harness.text.stored`).
    """
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
    if name == _SPAN:
        return Kind.SPAN
    if name not in list(Kind):
        raise row.bad("problem_type", f"one of {', '.join(Kind)}")
    return Kind(name)


def _read_options(row: Row, kind: Kind | None) -> tuple[str, ...]:
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


def _read_gold(solution: str, kind: Kind | None, options: Sequence[str]) -> str:
    """Return the content of ``<answer>``, checked against the problem type if that is known."""
    gold = answer_tag(solution)
    if not gold:
        raise _RowError(
            Fault.ANSWER, f"expected a solution '<answer>...</answer>', got {solution!r:.80}"
        )
    if kind is Kind.MULTIPLE_CHOICE and options and gold not in letters(len(options)):
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
