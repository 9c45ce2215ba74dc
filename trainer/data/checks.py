"""Checks the training rows before training.

A bad row stops the run or is excluded, as the recipe says; it is never replaced by another. Every
media file is decoded once with the frame policy of the training, unless the recipe says otherwise,
and every row's model inputs are built as training builds them, where the checkpoint's processor is
there.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from harness.errors import DatasetError
from harness.run.items import evenly_spaced
from harness.schema import Clip, Failure, Media, MediaKind
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
                f"{len(self.bad)} of {len(self.rows) + len(self.bad)} rows are bad"
                f" ({_count_faults(self.bad)}), first: {self.bad[0]}; fix them, or exclude them"
                f" with data.on_bad_row = '{OnBadRow.EXCLUDE}'"
            )
        if not self.rows:
            raise DatasetError(
                f"no row is left to train on; bad: {_count_faults(self.bad) or 'none'};"
                " see data.kinds and data.media"
            )
        return self.rows


BuildRow = Callable[[TrainingRow, tuple[Clip, ...] | None], object]
"""Builds what training builds of a row from its clips; None: they are not decoded. It raises
`DatasetError` where that fails."""


def build_nothing(row: TrainingRow, clips: tuple[Clip, ...] | None) -> None:
    """Build nothing, where the checkpoint's processor is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowNeeds:
    """What an algorithm and a checkpoint need of the texts of a row."""

    rationale: bool = False
    """Whether a row needs a rationale (SFT)."""
    rewarded: bool = False
    """Whether completions are rewarded: a row's own solution then has to earn something."""
    special_tokens: frozenset[str] = frozenset()
    """Special tokens of the checkpoint, which no text of a row may hold."""
    build: BuildRow = build_nothing


def check_rows(
    data: DataSettings,
    frames: FrameSettings,
    *,
    patch_multiple: int,
    needs: RowNeeds,
    on_checked: Callable[[int, int], None] = lambda done, total: None,
) -> RowReport:
    """Read the rows of a recipe and find those that training would fail on.

    Args:
        data: Which files, problem types and media.
        frames: Frames and pixels, as in training.
        patch_multiple: What frame sides are multiples of, as the checkpoint's processor needs.
        needs: What algorithm and checkpoint need of a row.
        on_checked: Called with how many (media, or rows where nothing is decoded) are checked, and
            of how many.
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
    intact = [row for row in rows if row.where not in faults]
    if data.check is MediaCheck.DECODE:
        jobs = _decode_jobs(intact, frames, patch_multiple)
        later = dict(_find_untrainable(intact, data, jobs, needs.build, on_checked))
    else:
        later = dict(_find_unbuilt(intact, needs.build, on_checked))
    faults |= {row.where: later[row.where] for row in intact if row.where in later}
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


def _decode_jobs(
    rows: Iterable[TrainingRow], frames: FrameSettings, patch_multiple: int
) -> list[DecodeJob]:
    """Return one job per distinct medium."""
    distinct = dict.fromkeys(media for row in rows for media in row.sample.media)
    return [
        DecodeJob(media=(m,), policy=frames.policy(m.kind), patch_multiple=patch_multiple)
        for m in distinct
    ]


def _find_untrainable(
    rows: Sequence[TrainingRow],
    data: DataSettings,
    jobs: Sequence[DecodeJob],
    build: BuildRow,
    on_checked: Callable[[int, int], None],
) -> Found:
    """Decode every distinct medium in worker processes, and build the inputs of its rows here."""
    users: dict[tuple[Media, ...], list[TrainingRow]] = defaultdict(list)
    for row in rows:
        users[row.sample.media].append(row)  # a row has one medium at most
    yield from _find_faults(users.pop((), ()), (), build)
    with DecodePool(
        workers=max(1, data.decode_workers),
        timeout_s=data.decode_timeout_s,
        max_bytes=_LOOK_AHEAD_BYTES,
    ) as pool:
        for done, (job, decoded) in enumerate(pool.decode(jobs), start=1):
            if isinstance(decoded, Failure):
                for row in users[job.media]:
                    yield make_fault(row, Fault.UNREADABLE, decoded.message)
            else:
                yield from _find_faults(users[job.media], decoded, build)
            pool.release(job)
            on_checked(done, len(jobs))


def _find_unbuilt(
    rows: Sequence[TrainingRow],
    build: BuildRow,
    on_checked: Callable[[int, int], None],
) -> Found:
    """Build the inputs of every row without its media."""
    for done, row in enumerate(rows, start=1):
        yield from _find_faults((row,), None, build)
        on_checked(done, len(rows))


def _find_faults(
    rows: Iterable[TrainingRow], clips: tuple[Clip, ...] | None, build: BuildRow
) -> Found:
    for row in rows:
        try:
            build(row, clips)
        except DatasetError as error:
            yield make_fault(row, Fault.INPUTS, str(error))


def _count_faults(bad: Iterable[BadRow]) -> str:
    counts = Counter(row.fault for row in bad)
    return ", ".join(f"{number} {fault}" for fault, number in counts.items())


def format_rest(number: int) -> list[str]:
    """Return the line that counts the bad rows beyond `SHOWN`, if there are any."""
    return [f"  and {number - SHOWN} more"] if number > SHOWN else []
