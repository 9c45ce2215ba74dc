"""Makes questions of the rows of a table, by its settings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.schema import Kind, Media, MediaKind, Sample
from harness.scoring.prompts import unlettered
from tasks.files import Row, inside
from tasks.local import gold
from tasks.local.faults import Faults
from tasks.local.settings import (
    KINDS,
    Column,
    Columns,
    TableSettings,
    read_kind,
    settings_file,
)

_PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
_NO_CATEGORY = "none"
_NAMES = {kind: name for name, kind in KINDS.items()}


@dataclass(frozen=True, slots=True)
class Table:
    """A table of questions and what is known of it."""

    file: Path
    name: str
    """Name of the benchmark."""
    folder: Path
    """Where the paths of media begin."""
    settings: TableSettings
    columns: Columns

    def samples(self, rows: Sequence[Row]) -> tuple[Sample, ...]:
        """Return the questions of all rows.

        Raises:
            DatasetError: Rows are malformed or two have one id; a line per kind of fault.
        """
        faults, seen = Faults(self.file), dict[str, str]()
        made: list[Sample] = []
        for row in rows:
            sample = faults.attempt(row, self._make_sample)
            if sample is None:
                continue
            if sample.id in seen:
                faults.add_duplicate(row, sample.id, seen[sample.id])
            seen.setdefault(sample.id, row.where)
            made.append(sample)
        faults.raise_any()
        return tuple(made)

    def _make_sample(self, row: Row) -> Sample:
        id_, question, answer = self.columns.id, self.columns.question, self.columns.answer
        assert isinstance(id_, str)
        assert isinstance(question, str)
        assert answer is not None
        paths = self._paths(row)
        options = gold.read_options(row, self.columns.options)
        kind = self._kind(row, answer, options)
        choice = kind is Kind.MULTIPLE_CHOICE
        if choice and len(options) < 2:
            raise row.bad(_first(self.columns.options or "options"), "at least two options")
        return Sample(
            id=f"{self.name}/{_filled(row, id_, row.scalar(id_))}",
            task=self.name,
            question=_filled(row, question, row.text(question)),
            answer=self._answer(row, answer, kind, options),
            kind=kind,
            category=self._category(row, kind),
            cluster=row.scalar(self.columns.cluster) if self.columns.cluster else paths[0],
            options=unlettered(options) if choice else (),
            media=tuple(self._media(row, path) for path in paths),
        )

    def _paths(self, row: Row) -> list[str]:
        column = self.columns.video
        assert column is not None
        if isinstance(column, tuple):
            found = [row.text(name) for name in column if row.fields.get(name) is not None]
        else:
            value = row.fields.get(column)
            found = list(row.texts(column)) if isinstance(value, list) else [row.text(column)]
        if not found or not all(path.strip() for path in found):
            raise row.bad(_first(column), "the path of a video or picture")
        return [os.path.normpath(path.strip()) for path in found]

    def _media(self, row: Row, path: str) -> Media:
        if Path(path).is_absolute():
            path = os.path.relpath(path, self.folder.absolute())
        if Path(path).parts[:1] == (os.pardir,):
            folder, settings = self.folder.absolute(), settings_file(self.file)
            wanted = f"a path within {folder} (media in {settings} names another)"
            raise row.bad(_first(self.columns.video or "video"), wanted)
        place = inside(self.folder, path, row.where)
        start, end = (
            None if name is None else _seconds(row, name)
            for name in (self.columns.start, self.columns.end)
        )
        if start is not None and end is not None and end <= start:
            assert self.columns.end is not None
            raise row.bad(self.columns.end, f"seconds after the start, {start:g}")
        if place.suffix.lower() in _PICTURES:
            return Media(path=place, kind=MediaKind.IMAGE)
        if place.is_dir():
            rate = self.settings.frame_rate
            return Media(path=place, kind=MediaKind.FRAMES, start_s=start, end_s=end, fps=rate)
        return Media(path=place, start_s=start, end_s=end)

    def _kind(self, row: Row, answer: str | tuple[str, ...], options: Sequence[str]) -> Kind:
        column = self.columns.kind
        if column is not None and row.fields.get(column) is not None:
            kind = read_kind(row.text(column))
            if kind is None:
                raise row.bad(column, f"one of {', '.join(KINDS)}")
            return kind
        if self.settings.kind is not None:
            kind = read_kind(self.settings.kind)
            assert kind is not None
            return kind
        return gold.infer_kind(row, answer, options)

    def _answer(
        self, row: Row, column: str | tuple[str, ...], kind: Kind, options: Sequence[str]
    ) -> str:
        if kind is Kind.SPAN:
            return gold.read_span(row, column)
        if isinstance(column, tuple):
            raise row.bad(column[0], "one column; two are the start and end of a span")
        if kind is Kind.MULTIPLE_CHOICE:
            return gold.read_letter(row, column, options, self.settings.answers)
        if kind is Kind.FREE_FORM:
            return gold.read_text(row, column)
        return gold.read_number(row, column, above_zero=kind is Kind.REGRESSION)

    def _category(self, row: Row, kind: Kind) -> str:
        column: Column = self.columns.category
        if column is None:
            return _NAMES[kind]
        names = (column,) if isinstance(column, str) else column
        parts = [
            row.scalar(name).strip() if row.fields.get(name) is not None else "" for name in names
        ]
        path = "/".join(part or _NO_CATEGORY for part in parts)
        return "/".join(filter(None, map(str.strip, path.split("/")))) or _NO_CATEGORY


def _filled(row: Row, name: str, text: str) -> str:
    if not text.strip():
        raise row.bad(name, "a text that is not empty")
    return text.strip()


def _seconds(row: Row, name: str) -> float | None:
    """Return seconds; a cell of CSV is a text."""
    value = row.fields.get(name)
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise row.bad(name, "a number of seconds >= 0") from None
    return Row({name: value}, row.where).seconds(name)


def _first(column: str | tuple[str, ...]) -> str:
    return column if isinstance(column, str) else column[0]
