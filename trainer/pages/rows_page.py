"""Writes the page of a check of rows: faults, spreads, and some rows with their frames."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.report.folder import FRAMES, INDEX, make_place
from harness.report.static import StaticPages
from harness.run.items import evenly_spaced
from harness.schema import Clip, Kind, Media, MediaKind
from tasks.files import read_rows
from trainer.data.checks import media_kind
from trainer.data.example_rows import example_of
from trainer.data.faults import BadRow, group_faults
from trainer.data.rows import TrainingRow, parse_all
from trainer.data.survey import count_letters, measure_spreads
from trainer.pages.pictures import Pictures
from trainer.runs.row_check import CheckedRows

_EXAMPLES = 5
"""Rows that are shown per fault."""
_PICTURE_BYTES = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was checked, for the head of the page."""

    files: tuple[Path, ...]
    media_roots: tuple[Path, ...]
    algorithm: str
    checkpoint: str | None


class RowsPage:
    """Collects frames while rows are checked, and writes the page afterwards.

    Args:
        out: Folder of the page; an older one in it is replaced.
        asked: What is checked.
        sampled: How many rows are shown, evenly spaced in every problem type and medium.

    Raises:
        UsageError: The folder holds other files.
    """

    def __init__(self, out: Path, asked: Asked, sampled: int) -> None:
        make_place(out, FRAMES)
        self._out = out
        self._asked = asked
        self._pictures = Pictures(out / FRAMES, _PICTURE_BYTES)
        self._rows = _sample(parse_rows(asked), sampled)
        self._media = {media for row in self._rows for media in row.sample.media}

    def see_clip(self, media: Media, clip: Clip) -> None:
        """Draw the frames of a medium, where one of the shown rows has it."""
        if media in self._media:
            self._pictures.draw(media, clip)

    def write(self, checked: CheckedRows) -> Path:
        """Write the page; returns its path."""
        report = checked.report
        pages = StaticPages(self._out, "trainer.pages")
        faults = defaultdict(list)
        for bad in report.bad:
            faults[bad.where].append(bad)
        return pages.write(
            INDEX,
            "rows.html",
            asked=self._asked,
            report=report,
            groups=_describe_groups(report.bad, self._asked.files),
            examples=[example_of(kind) for kind in _kinds_of(report.bad)],
            kinds=_count_kinds(report.rows),
            spreads=measure_spreads(report.rows, checked.measured),
            letters=count_letters(report.rows),
            rows=self._rows,
            faults=faults,
            pictures=self._pictures,
            measured=checked.measured,
        )


def parse_rows(asked: Asked) -> list[TrainingRow]:
    """Return all rows as far as they can be read."""
    return [parsed.row for parsed in parse_all(asked.files, asked.media_roots)]


def _sample(rows: Iterable[TrainingRow], limit: int) -> list[TrainingRow]:
    """Return as many rows, as evenly from every problem type and medium as there are rows."""
    groups: defaultdict[tuple[Kind, MediaKind | None], list[TrainingRow]] = defaultdict(list)
    for row in rows:
        groups[row.sample.kind, media_kind(row)].append(row)
    each = max(1, limit // max(1, len(groups)))
    chosen = [row for found in groups.values() for row in evenly_spaced(tuple(found), each)]
    return chosen[:limit]


def _kinds_of(bad: Sequence[BadRow]) -> list[Kind]:
    kinds = list(dict.fromkeys(one.kind for one in bad if one.kind))
    return kinds or ([Kind.MULTIPLE_CHOICE] if bad else [])


def _describe_groups(bad: Sequence[BadRow], files: Sequence[Path]) -> list[dict[str, Any]]:
    """Return the groups of faults with the fields of their first rows."""
    groups = group_faults(bad)
    shown = {one.where for group in groups for one in group.bad[:_EXAMPLES]}
    fields = _read_fields(files, shown)
    return [
        {
            "fault": group.fault,
            "rows": group.rows,
            "shown": [(one, fields.get(one.where, {})) for one in group.bad[:_EXAMPLES]],
            "left": max(0, len(group.bad) - _EXAMPLES),
        }
        for group in groups
    ]


def _read_fields(files: Sequence[Path], places: set[str]) -> dict[str, Mapping[str, Any]]:
    if not places:
        return {}
    return {
        row.where: row.fields for path in files for row in read_rows(path) if row.where in places
    }


def _count_kinds(rows: Sequence[TrainingRow]) -> list[tuple[Kind, list[int]]]:
    """Return per problem type the rows with a video, with an image and with text alone."""
    counts = Counter((row.sample.kind, media_kind(row)) for row in rows)
    kinds = dict.fromkeys(row.sample.kind for row in rows)
    media = (MediaKind.VIDEO, MediaKind.IMAGE, None)
    return [(kind, [counts[kind, one] for one in media]) for kind in kinds]
