"""Checks the training rows before training.

A bad row stops the run or is excluded, as the recipe says; it is never replaced by another. Every
media file is decoded once with the frame policy of the training, unless the recipe says otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

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
from trainer.data.row_faults import (
    Found,
    find_duplicates,
    find_missing_rationales,
    find_special_tokens,
    find_unpaid,
    make_fault,
)
from trainer.data.rows import BadRow, Fault, TrainingRow, parse_rows

SHOWN = 10
"""Bad rows that are listed; the others are counted."""

_LOOK_AHEAD_BYTES = 1 << 28


@dataclass(frozen=True, slots=True, kw_only=True)
class RowReport:
    """The rows of a recipe: those to train on, and the bad ones."""

    rows: tuple[TrainingRow, ...]
    """Rows without faults, of the recipe's problem types and media, in file order."""
    bad: tuple[BadRow, ...]

    def require(self, on_bad_row: OnBadRow) -> tuple[TrainingRow, ...]:
        """Return the rows to train on.

        Raises:
            DatasetError: Rows are bad and the recipe does not exclude them, or no row is left.
        """
        if self.bad and on_bad_row is OnBadRow.STOP:
            raise DatasetError(
                "\n".join(
                    [
                        *(f"  {row}" for row in self.bad[:SHOWN]),
                        *format_rest(len(self.bad)),
                        f"{len(self.bad)} of {len(self.rows) + len(self.bad)} rows are bad"
                        f" ({_count_faults(self.bad)}); fix them, or exclude them with"
                        f" data.on_bad_row = '{OnBadRow.EXCLUDE}'",
                    ]
                )
            )
        if not self.rows:
            raise DatasetError(
                f"no row is left to train on; bad: {_count_faults(self.bad) or 'none'};"
                " see data.kinds and data.media"
            )
        return self.rows


@dataclass(frozen=True, slots=True, kw_only=True)
class RowNeeds:
    """What an algorithm and a checkpoint need of the texts of a row."""

    rationale: bool = False
    """Whether a row needs a rationale (SFT)."""
    rewarded: bool = False
    """Whether completions are rewarded: a row's own solution then has to earn something."""
    special_tokens: frozenset[str] = frozenset()
    """Special tokens of the checkpoint, which no text of a row may hold."""


def check_rows(
    data: DataSettings,
    frames: FrameSettings,
    *,
    patch_multiple: int,
    needs: RowNeeds,
    on_decoded: Callable[[int, int], None] = lambda done, total: None,
) -> RowReport:
    """Read the rows of a recipe and find those that training would fail on.

    Args:
        data: Which files, problem types and media.
        frames: Frames and pixels, as in training.
        patch_multiple: What frame sides are multiples of, as the checkpoint's processor needs.
        needs: What algorithm and checkpoint need of a row's texts.
        on_decoded: Called with (decoded, total) media.
    """
    parsed = list(parse_rows(data.rows, data.media_roots))
    bad = [row for row in parsed if isinstance(row, BadRow)]
    wanted = (row for row in parsed if isinstance(row, TrainingRow) and _is_wanted(row, data))
    rows = evenly_spaced(tuple(wanted), data.limit)
    faults = dict(find_duplicates(rows)) | dict(find_special_tokens(rows, needs.special_tokens))
    if needs.rationale:
        faults |= dict(find_missing_rationales(rows))
    if needs.rewarded:
        faults |= dict(find_unpaid(row for row in rows if row.where not in faults))
    faults |= dict(_find_missing_media(rows))
    if data.check is MediaCheck.DECODE:
        intact = [row for row in rows if row.where not in faults]
        faults |= dict(_find_unreadable_media(intact, data, frames, patch_multiple, on_decoded))
    return RowReport(
        rows=tuple(row for row in rows if row.where not in faults),
        bad=(*bad, *faults.values()),
    )


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
    """Return whether a row has a video or an image; None without media."""
    return row.sample.media[0].kind if row.sample.media else None


def _is_wanted(row: TrainingRow, data: DataSettings) -> bool:
    shown = media_kind(row)
    return row.sample.kind in data.kinds and (shown is None or shown in data.media)


def _find_missing_media(rows: Iterable[TrainingRow]) -> Found:
    exists: dict[Media, bool] = {}
    for row in rows:
        for media in row.sample.media:
            if media not in exists:
                exists[media] = media.path.exists()
            if not exists[media]:
                yield make_fault(row, Fault.MISSING, f"{media.path} is in none of data.media_roots")


def _find_unreadable_media(
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
                yield make_fault(row, Fault.UNREADABLE, failed[media])


def _count_faults(bad: Iterable[BadRow]) -> str:
    counts = Counter(row.fault for row in bad)
    return ", ".join(f"{number} {fault}" for fault, number in counts.items())


def format_rest(number: int) -> list[str]:
    """Return the line that counts the bad rows beyond `SHOWN`, if there are any."""
    return [f"  and {number - SHOWN} more"] if number > SHOWN else []
