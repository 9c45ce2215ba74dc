"""Checks the training rows before training.

A bad row stops the run or is excluded, as the recipe says; it is never replaced by another. Every
media file is decoded once with the frame policy of the training, unless the recipe says otherwise,
and every row's model inputs are built as training builds them, where the checkpoint's processor is
there.
"""

from __future__ import annotations

from collections import defaultdict
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
from trainer.config.sections import DataSettings, FrameSettings
from trainer.data.faults import BadRow, Fault, count_faults
from trainer.data.row_faults import (
    FaultBook,
    Found,
    find_duplicates,
    find_missing_rationales,
    find_special_tokens,
    find_unpaid,
    make_fault,
)
from trainer.data.rows import ParsedRow, TrainingRow, parse_all
from trainer.data.waiting_rows import WaitingRows

PAGE = "docs/rows.md"
"""The page that describes rows."""

_LOOK_AHEAD_BYTES = 1 << 28


@dataclass(frozen=True, slots=True, kw_only=True)
class RowReport:
    """The rows of a recipe: those to train on, and the bad ones."""

    rows: tuple[TrainingRow, ...]
    """Rows without faults, of the recipe's problem types and media, in file order."""
    bad: tuple[BadRow, ...]
    """Every fault of every other row, in file order; a row may have several."""

    @property
    def bad_rows(self) -> int:
        """How many rows have a fault."""
        return len({row.where for row in self.bad})

    def require(self, on_bad_row: OnBadRow) -> tuple[TrainingRow, ...]:
        """Return the rows to train on.

        Raises:
            DatasetError: Rows are bad and the recipe does not exclude them, or no row is left.
        """
        if self.bad and on_bad_row is OnBadRow.STOP:
            raise DatasetError(
                f"{self.bad_rows} of {len(self.rows) + self.bad_rows} rows are bad"
                f" ({count_faults(self.bad)}), first: {self.bad[0]}; fix them ({PAGE} has a right"
                f" row of every type; `videor1 train check` checks rows alone), or exclude them"
                f" with data.on_bad_row = '{OnBadRow.EXCLUDE}'"
            )
        if not self.rows:
            raise DatasetError(
                f"no row is left to train on; bad: {count_faults(self.bad) or 'none'};"
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


@dataclass(frozen=True, slots=True)
class CheckWatcher:
    """Is told how a check proceeds; this one does nothing."""

    on_checked: Callable[[int, int], None] = lambda done, total: None
    """Called with how many (media, or rows where nothing is decoded) are checked, and of how
    many."""
    on_decoded: Callable[[Media, Clip], None] = lambda media, clip: None
    """Called with every medium that could be decoded."""
    on_built: Callable[[TrainingRow, object], None] = lambda row, built: None
    """Called with what `RowNeeds.build` returned for a row."""


def check_rows(
    data: DataSettings,
    frames: FrameSettings,
    *,
    patch_multiple: int,
    needs: RowNeeds,
    watcher: CheckWatcher = CheckWatcher(),
) -> RowReport:
    """Read the rows of a recipe and find every fault that training would fail on.

    What needs a whole row (its reward, its model inputs) is looked for in rows without other
    faults; the media of all rows are decoded.

    Args:
        data: Which files, problem types and media.
        frames: Frames and pixels, as in training.
        patch_multiple: What frame sides are multiples of, as the checkpoint's processor needs.
        needs: What algorithm and checkpoint need of a row.
        watcher: Is told how the check proceeds.
    """
    chosen = _choose(list(parse_all(data.rows, data.media_roots)), data)
    rows = [parsed.row for parsed in chosen]
    faults = FaultBook()
    faults.add((fault.where, fault) for parsed in chosen for fault in parsed.faults)
    readable = [row for row in rows if row.where not in faults]
    faults.add(find_duplicates(row for row in rows if row.sample.id != row.where))
    faults.add(find_special_tokens(rows, needs.special_tokens))
    if needs.rationale:
        faults.add(find_missing_rationales(rows))
    if needs.rewarded:
        faults.add(find_unpaid(readable))
    faults.add(_find_missing_media(rows))
    intact = [row for row in rows if row.where not in faults]
    if data.check is MediaCheck.DECODE:
        jobs = _decode_jobs(rows, frames, patch_multiple)
        faults.add(_find_untrainable(rows, intact, data, jobs, _Build(needs.build, watcher)))
    else:
        faults.add(_find_unbuilt(intact, _Build(needs.build, watcher)))
    return RowReport(
        rows=tuple(row for row in rows if row.where not in faults),
        bad=tuple(fault for row in rows for fault in faults.of(row.where)),
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
    """Return whether a row has a video or images alone; None without media."""
    kinds = {media.kind for media in row.sample.media}
    return MediaKind.VIDEO if MediaKind.VIDEO in kinds else next(iter(kinds), None)


def _is_wanted(row: TrainingRow, data: DataSettings) -> bool:
    shown = {media.kind for media in row.sample.media}
    return row.sample.kind in data.kinds and shown <= set(data.media)


def _choose(parsed: Sequence[ParsedRow], data: DataSettings) -> list[ParsedRow]:
    """Return the malformed rows and the wanted ones, as many of these as the limit says."""
    whole = [one for one in parsed if not one.faults and _is_wanted(one.row, data)]
    taken = {one.row.where for one in evenly_spaced(tuple(whole), data.limit)}
    return [one for one in parsed if one.faults or one.row.where in taken]


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
    """Return one job per distinct medium that exists."""
    distinct = dict.fromkeys(media for row in rows for media in row.sample.media)
    return [
        DecodeJob(media=(m,), policy=frames.policy(m.kind), patch_multiple=patch_multiple)
        for m in distinct
        if m.path.exists()
    ]


@dataclass(frozen=True, slots=True)
class _Build:
    """Builds the inputs of rows."""

    build: BuildRow
    watcher: CheckWatcher

    def find_faults(self, rows: Iterable[TrainingRow], clips: tuple[Clip, ...] | None) -> Found:
        """Yield the rows whose inputs cannot be built."""
        for row in rows:
            try:
                self.watcher.on_built(row, self.build(row, clips))
            except DatasetError as error:
                yield make_fault(row, Fault.INPUTS, str(error))


def _find_untrainable(
    rows: Iterable[TrainingRow],
    intact: Iterable[TrainingRow],
    data: DataSettings,
    jobs: Sequence[DecodeJob],
    build: _Build,
) -> Found:
    """Decode every distinct medium in worker processes, and build its intact rows here."""
    users: defaultdict[Media, list[TrainingRow]] = defaultdict(list)
    for row in rows:
        for media in dict.fromkeys(row.sample.media):
            users[media].append(row)
    waiting = WaitingRows(intact)
    yield from build.find_faults(waiting.without_media, ())
    with DecodePool(
        workers=max(1, data.decode_workers),
        timeout_s=data.decode_timeout_s,
        max_bytes=_LOOK_AHEAD_BYTES,
    ) as pool:
        for done, (job, decoded) in enumerate(pool.decode(jobs), start=1):
            if isinstance(decoded, Failure):
                for row in users[job.media[0]]:
                    yield make_fault(row, Fault.UNREADABLE, decoded.message)
            else:
                build.watcher.on_decoded(job.media[0], decoded[0])
                for row, clips in waiting.decoded(job.media[0], decoded[0]):
                    yield from build.find_faults((row,), clips)
            pool.release(job)
            build.watcher.on_checked(done, len(jobs))


def _find_unbuilt(rows: Sequence[TrainingRow], build: _Build) -> Found:
    """Build the inputs of every row without its media."""
    for done, row in enumerate(rows, start=1):
        yield from build.find_faults((row,), None)
        build.watcher.on_checked(done, len(rows))
