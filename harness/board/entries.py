"""One run as a board needs it: how each task was asked, and what every item came to.

A finished run has its records as one Parquet table, of which six columns are read. A records file
that is newer than the table wins: the table is derived, the records are the run.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import task as task_registry
from harness.errors import DatasetError, UsageError
from harness.schema import Outcome, Variant
from harness.store import MANIFEST, SUMMARY, read_manifest, read_records

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

TABLE = "records.parquet"
COLUMNS = ("id", "task", "cluster", "category", "value", "outcome")

Setting = Mapping[str, Any]
"""What two runs of a task must share to be compared: selection, protocol and data."""


@dataclass(frozen=True, slots=True)
class Items:
    """Which questions were answered, by id; runs of the same questions share one object."""

    ids: tuple[str, ...]
    clusters: tuple[str, ...]
    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """The records of one task of a run, in the order of their ids."""

    items: Items
    values: NDArray[np.float64]
    """0 to 1; NaN where the item failed or the scorer's rule leaves it out."""
    outcomes: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entry:
    """One run."""

    folder: Path
    model: str
    protocol: str
    """Hash over all tasks of the run."""
    created: str
    settings: Mapping[str, Setting]
    answers: Mapping[str, Answers]
    summaries: Mapping[str, Any]
    """``summary.json``, task by task; empty without one."""

    @property
    def variant(self) -> str:
        """What was done to the frames."""
        orders = {frames["order"] for frames in self._frames() if frames}
        return "+".join(sorted(orders)) or Variant.ORDERED.value

    @property
    def frames(self) -> str:
        """The most frames a video may have; several where tasks differ."""
        caps = {str(frames["max_frames"]): None for frames in self._frames() if frames}
        return "/".join(caps) or "-"

    def _frames(self) -> Iterable[Mapping[str, Any] | None]:
        return (setting["protocol"]["frames"] for setting in self.settings.values())


def read_entries(folders: Iterable[Path], *, scorers: bool = False) -> list[Entry]:
    """Read runs; one that is named twice is refused, it would be compared with itself.

    With `scorers` the score files of `videor1 rescore` are tasks of their own beside the run's.
    """
    known: dict[Items, Items] = {}
    seen: set[Path] = set()
    entries = []
    for folder in folders:
        if folder.resolve() in seen:
            raise UsageError(f"{folder}: this run is named twice")
        seen.add(folder.resolve())
        entry = _read(folder, known)
        if scorers:
            from harness.board.score_files import with_score_files

            entry = with_score_files(entry, partial(_answers, known=known))
        entries.append(entry)
    return entries


def _read(folder: Path, known: dict[Items, Items]) -> Entry:
    manifest = read_manifest(folder)
    try:
        settings = _settings(manifest)
        entry = partial(
            Entry,
            folder=folder,
            model=manifest["model"],
            protocol=manifest["protocol_hash"],
            created=manifest["created"],
            settings=settings,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"{folder / MANIFEST}: not a manifest of this version ({error!r}); evaluate again"
        ) from None
    table = _table(folder)
    return entry(
        answers={name: _answers(table, name, known) for name in settings},
        summaries=_summaries(folder / SUMMARY),
    )


def _settings(manifest: Mapping[str, Any]) -> dict[str, Setting]:
    """Collect what each task was; ``name:config`` matters, because configs share their files."""
    return {
        task: {
            "selection": selection,
            "protocol": manifest["protocol"][task],
            "data": manifest["data"][task],
        }
        for selection in manifest["tasks"]
        for task in [task_registry.name_of(selection)]
    }


def _summaries(path: Path) -> dict[str, Any]:
    try:
        tasks: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["tasks"]
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path}: not a summary ({error!r}); delete it") from None
    return tasks


def _table(folder: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not _is_current(folder):
        rows = [{name: getattr(r, name) for name in COLUMNS} for r in read_records(folder)]
        return pa.Table.from_pylist(rows, schema=schema())
    try:
        table = pq.read_table(folder / TABLE, columns=list(COLUMNS), use_threads=False)
        return table.cast(schema())
    except (ValueError, KeyError, OSError) as error:  # Arrow's errors are subclasses of these
        raise DatasetError(
            f"{folder / TABLE}: cannot be read ({error}); delete it, the records are beside it"
        ) from None


def _is_current(folder: Path) -> bool:
    """Tell whether the table exists and no records file was written after it."""
    table = folder / TABLE
    written = [path.stat().st_mtime_ns for path in folder.glob("records-*.jsonl")]
    return table.is_file() and table.stat().st_mtime_ns >= max(written, default=0)


def schema() -> pa.Schema:
    """Return the columns that a board reads."""
    import pyarrow as pa

    return pa.schema([(name, pa.float64() if name == "value" else pa.string()) for name in COLUMNS])


def _answers(table: pa.Table, task: str, known: dict[Items, Items]) -> Answers:
    import pyarrow.compute as pc

    rows = table.filter(pc.equal(table["task"], task)).sort_by("id")
    texts = (tuple(rows[name].to_pylist()) for name in ("id", "cluster", "category"))
    items = Items(*texts)
    values = rows["value"].to_numpy()
    counts = Counter(rows["outcome"].to_pylist())
    return Answers(
        items=known.setdefault(items, items),
        values=values.astype(np.float64),
        outcomes={outcome.value: counts[outcome.value] for outcome in Outcome},
    )
