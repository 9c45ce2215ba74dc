"""What is wrong with the training rows, found before training and shown as one table.

A bad row stops the run or is left out, as the recipe says; it is never replaced. Every medium is
decoded once with the very frame policy of the training, unless the recipe asks for less.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import DatasetError
from harness.run.plan import evenly_spaced
from harness.schema import Failure, Media, MediaKind
from harness.video.jobs import DecodeJob
from harness.video.pool import DecodePool
from trainer.config.choices import (
    MediaCheck,
    OnBadRow,
)
from trainer.config.sections import (
    DataSettings,
    FrameSettings,
)
from trainer.data.rows import (
    BadRow,
    Fault,
    TrainingRow,
    parse_rows,
    thought,
)

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = 10
"""Bad rows shown before the rest is only counted."""

_LOOK_AHEAD_BYTES = 1 << 28


@dataclass(frozen=True, slots=True, kw_only=True)
class RowReport:
    """The rows of a recipe, sound and bad."""

    rows: tuple[TrainingRow, ...]
    """Sound rows of the problem types and media that the recipe trains on, in file order."""
    bad: tuple[BadRow, ...]

    def require(self, on_bad_row: OnBadRow) -> tuple[TrainingRow, ...]:
        """Return the sound rows.

        Raises:
            DatasetError: Some rows are bad and the recipe does not exclude them, or none is sound.
        """
        if self.bad and on_bad_row is OnBadRow.STOP:
            raise DatasetError(
                "\n".join(
                    [
                        *(f"  {row}" for row in self.bad[:SHOWN]),
                        *_rest(len(self.bad)),
                        f"{len(self.bad)} of {len(self.rows) + len(self.bad)} rows are bad"
                        f" ({_counted(self.bad)}); mend them, or leave them out with"
                        f" data.on_bad_row = '{OnBadRow.EXCLUDE}'",
                    ]
                )
            )
        if not self.rows:
            raise DatasetError(
                f"no row is left to train on; bad: {_counted(self.bad) or 'none'};"
                " see data.kinds and data.media"
            )
        return self.rows


def check_rows(
    data: DataSettings,
    frames: FrameSettings,
    *,
    patch_multiple: int,
    rationale: bool,
    on_decoded: Callable[[int, int], None] = lambda done, total: None,
) -> RowReport:
    """Read the rows of a recipe and look at everything that could go wrong with them later.

    Args:
        data: Which rows.
        frames: How their media will be decoded.
        patch_multiple: What frame sides are multiples of, as the checkpoint's processor needs.
        rationale: Whether a row needs a rationale (SFT).
        on_decoded: Told how many media of how many have been tried.
    """
    parsed = list(parse_rows(data.rows, data.media_roots))
    bad = [row for row in parsed if isinstance(row, BadRow)]
    wanted = (row for row in parsed if isinstance(row, TrainingRow) and _wanted(row, data))
    rows = evenly_spaced(tuple(wanted), data.limit)
    faults = dict(_duplicates(rows))
    if rationale:
        faults |= dict(_without_rationale(rows))
    faults |= dict(_missing(rows))
    if data.check is MediaCheck.DECODE:
        sound = [row for row in rows if row.where not in faults]
        faults |= dict(_unreadable(sound, data, frames, patch_multiple, on_decoded))
    return RowReport(
        rows=tuple(row for row in rows if row.where not in faults),
        bad=(*bad, *faults.values()),
    )


def print_report(console: Console, report: RowReport) -> None:
    """Print rows per problem type and medium, then the bad rows by fault with the first few."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("problem type", style="bold", no_wrap=True)
    kinds = (MediaKind.VIDEO, MediaKind.IMAGE, None)
    for heading in ("videos", "images", "text only"):
        table.add_column(heading, justify="right")
    counts = Counter((row.sample.kind, media_kind(row)) for row in report.rows)
    for problem in dict.fromkeys(row.sample.kind for row in report.rows):
        table.add_row(problem, *(f"{counts[problem, kind]:,}" for kind in kinds))
    console.print(table)
    for fault, number in Counter(row.fault for row in report.bad).items():
        console.print(f"{fault}: {number:,} rows", style="yellow", markup=False)
    for line in [*map(str, report.bad[:SHOWN]), *_rest(len(report.bad))]:
        console.print(f"  {line}", soft_wrap=True, markup=False, highlight=False)


def require_media_files(rows: Sequence[TrainingRow]) -> None:
    """Raise where the media of some rows do not exist; nothing is decoded.

    Raises:
        DatasetError: Counts the rows and names the first.
    """
    missing = [
        (row.sample.id, media.path)
        for row in rows
        for media in row.sample.media
        if not media.path.exists()
    ]
    if missing:
        name, path = missing[0]
        raise DatasetError(
            f"{len(missing)} of {len(rows)} rows lack their media, first {name}: {path} does not"
            " exist; fetch the files, or leave the rows out with data.on_bad_row"
        )


def media_kind(row: TrainingRow) -> MediaKind | None:
    """Return what a row shows, None where it shows nothing."""
    return row.sample.media[0].kind if row.sample.media else None


def _wanted(row: TrainingRow, data: DataSettings) -> bool:
    shown = media_kind(row)
    return row.sample.kind in data.kinds and (shown is None or shown in data.media)


Found = Iterator[tuple[str, BadRow]]
"""Bad rows by file and row."""


def _duplicates(rows: Iterable[TrainingRow]) -> Found:
    first: dict[str, str] = {}
    for row in rows:
        before = first.setdefault(row.sample.id, row.where)
        if before != row.where:
            yield _fault(row, Fault.DUPLICATE, f"{row.sample.id!r} is the id of {before} too")


def _without_rationale(rows: Iterable[TrainingRow]) -> Found:
    for row in rows:
        if not thought(row.rationale or ""):
            yield _fault(row, Fault.RATIONALE, "SFT needs a 'process' text")


def _missing(rows: Iterable[TrainingRow]) -> Found:
    there: dict[Media, bool] = {}
    for row in rows:
        for media in row.sample.media:
            if media not in there:
                there[media] = media.path.exists()
            if not there[media]:
                yield _fault(row, Fault.MISSING, f"{media.path} is in none of data.media_roots")


def _unreadable(
    rows: Sequence[TrainingRow],
    data: DataSettings,
    frames: FrameSettings,
    patch_multiple: int,
    on_decoded: Callable[[int, int], None],
) -> Found:
    """Decode every distinct medium once, in worker processes."""
    distinct = dict.fromkeys(media for row in rows for media in row.sample.media)
    jobs = [
        DecodeJob(media=(m,), policy=frames.policy(m.kind), patch_multiple=patch_multiple)
        for m in distinct
    ]
    failed: dict[Media, str] = {}
    with DecodePool(
        workers=max(1, data.decode_workers),
        timeout_s=data.decode_timeout_s,
        max_bytes=_LOOK_AHEAD_BYTES,
    ) as pool:
        for done, (job, decoded) in enumerate(pool.decode(jobs), start=1):
            on_decoded(done, len(jobs))
            if isinstance(decoded, Failure):
                failed[job.media[0]] = decoded.message
    for row in rows:
        for media in row.sample.media:
            if media in failed:
                yield _fault(row, Fault.UNREADABLE, failed[media])


def _fault(row: TrainingRow, fault: Fault, message: str) -> tuple[str, BadRow]:
    return row.where, BadRow(fault=fault, where=row.where, message=message)


def _counted(bad: Iterable[BadRow]) -> str:
    counts = Counter(row.fault for row in bad)
    return ", ".join(f"{number} {fault}" for fault, number in counts.items())


def _rest(number: int) -> list[str]:
    return [f"  and {number - SHOWN} more"] if number > SHOWN else []
