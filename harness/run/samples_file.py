"""Keeps the questions of a run in ``samples.jsonl``, so that it can be read without its data.

The file is written before the first answer, in one step, in the order of the benchmarks. A resumed
run keeps it where it holds the same questions, writes it again where it is damaged or missing, and
is refused where a question in it differs from the one that would be asked.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from harness.errors import DatasetError, RunMismatchError, UsageError
from harness.files import read_json, read_lines, reader_of, write_json_lines
from harness.run.plan import Plan, PlannedTask
from harness.schema import Kind, Media, MediaKind, Prompt, Sample
from harness.text.stored import storable

SAMPLES = "samples.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMedia:
    """One video, frame folder or image of a stored question."""

    path: str
    """Relative to the data root; absolute where the file is not in it."""
    kind: MediaKind
    start: float | None = None
    """Start of the clip in seconds; None: the start of the file."""
    end: float | None = None
    """End of the clip in seconds; None: the end of the file."""
    fps: float | None = None
    """Frames per second of a frame folder; a video file carries its own."""
    path_bytes: str | None = None
    """The path's bytes in hexadecimal, where they are not UTF-8 and `path` cannot hold them."""

    @property
    def name(self) -> str:
        """The path as the operating system has it."""
        return self.path if self.path_bytes is None else os.fsdecode(bytes.fromhex(self.path_bytes))

    def media(self, root: Path | None) -> Media:
        """Return the medium on disk, under a data root; an absolute path needs none."""
        return Media(
            path=Path(self.name) if root is None else root / self.name,
            kind=self.kind,
            start_s=self.start,
            end_s=self.end,
            fps=self.fps,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSample:
    """One question as it was asked: one line of ``samples.jsonl``."""

    id: str
    task: str
    question: str
    options: tuple[str, ...]
    """Option texts without letters; the letter is the position (A, B, ...)."""
    gold: str
    kind: Kind
    category: str
    cluster: str
    media: tuple[StoredMedia, ...]
    prompt: str | None
    """Text of the user turn behind the media; None where it is not known or cannot be built."""
    before: tuple[str, ...] = ()
    """Text before each medium where text and media alternate."""
    system: str | None = None
    """System prompt; None: the chat template's own."""
    prefill: str = ""
    """Start of the assistant turn that was given."""


class StoredSamples(dict[str, StoredSample]):
    """The questions of a run by id, in the order of the benchmarks."""

    lacking: str | None = None
    """What is missing and why, as a sentence without its full stop; None: nothing."""


def read_samples(folder: Path) -> StoredSamples:
    """Return the stored questions of a run directory.

    A run that has none, or not all, is no error: `StoredSamples.lacking` says what is missing.

    Raises:
        DatasetError: A line is not a question, or an id is there twice; names file, line, field,
            expected and found. A torn last line, which a cut copy leaves, is left out.
    """
    samples, path = StoredSamples(), folder / SAMPLES
    if not path.exists():
        samples.lacking = (
            f"{folder} has no {SAMPLES}: it was made before questions were kept."
            " Run its `videor1 eval` command again to add them"
        )
        return samples
    for where, sample in _read(path):
        if sample.id in samples:
            raise DatasetError(
                f"{where}: field 'id': {sample.id!r:.80} is there twice; expected every id once"
            )
        samples[sample.id] = sample
    expected = _count_items(folder)
    if len(samples) < expected:
        samples.lacking = (
            f"{path} has {len(samples)} of {expected} questions."
            " Run its `videor1 eval` command again to mend it"
        )
    return samples


def keep_samples(folder: Path, plan: Plan, manifest: Mapping[str, Any]) -> None:
    """Write the questions of a plan into a run directory, or check those that it holds.

    Args:
        folder: The run directory; the caller holds its lock.
        plan: What is asked.
        manifest: Its ``run.json``. Media paths are made relative to the `data_root` in it, and
            stay absolute without one.

    Raises:
        RunMismatchError: A stored question differs from the planned one; names id and field.
        UsageError: The file cannot be written.
    """
    root = manifest.get("data_root")
    wanted = {one.id: one for one in list_samples(plan, None if root is None else Path(root))}
    found = _read_what_is_whole(folder / SAMPLES)
    for sample in found:
        _require_same(folder, sample, wanted.get(sample.id))
    if len({sample.id for sample in found}) != len(wanted) or len(found) != len(wanted):
        rows = (asdict(sample) for sample in wanted.values())
        write_json_lines(folder / SAMPLES, rows)


def list_samples(plan: Plan, root: Path | None) -> Iterator[StoredSample]:
    """Yield every question of a plan as it is stored."""
    for planned in plan.tasks:
        for sample in planned.samples:
            yield _store(planned, sample, root)


def _store(planned: PlannedTask, sample: Sample, root: Path | None) -> StoredSample:
    prompt = _prompt_or_none(planned, sample)
    stored = StoredSample(
        id=sample.id,
        task=sample.task,
        question=sample.question,
        options=sample.options,
        gold=sample.answer,
        kind=sample.kind,
        category=sample.category,
        cluster=sample.cluster,
        media=tuple(_store_media(one, root) for one in sample.media),
        prompt=None,
    )
    if prompt is None:
        return stored
    return replace(
        stored,
        prompt=storable(prompt.text),
        before=tuple(map(storable, prompt.before)),
        system=None if prompt.system is None else storable(prompt.system),
        prefill=storable(prompt.prefill),
    )


def _prompt_or_none(planned: PlannedTask, sample: Sample) -> Prompt | None:
    if planned.protocol.sampling is None:  # texts of elsewhere: nobody knows what was asked
        return None
    try:
        return planned.prompt(sample)
    except Exception:  # noqa: BLE001 - the boundary: the runner makes a failed record of it
        return None


def _store_media(media: Media, root: Path | None) -> StoredMedia:
    path = _relative(media.path, root)
    text = storable(path)
    return StoredMedia(
        path=text,
        kind=media.kind,
        start=media.start_s,
        end=media.end_s,
        fps=media.fps,
        path_bytes=None if text == path else os.fsencode(path).hex(),
    )


def _relative(path: Path, root: Path | None) -> str:
    """Return a path relative to the data root, which may be a link; else absolute."""
    path = path.absolute()
    for base in () if root is None else (root.absolute(), root.resolve()):
        if path.is_relative_to(base):
            return path.relative_to(base).as_posix()
    return path.as_posix()


def _read(path: Path) -> Iterator[tuple[str, StoredSample]]:
    read = reader_of(StoredSample, extra=True)
    for number, line in read_lines(path):
        where = f"{path}, line {number}"
        sample = read(line, where)
        for one in sample.media:
            _check_path(one, where)
        yield where, sample


def _check_path(media: StoredMedia, where: str) -> None:
    """Raise where a path leaves the data root, or its bytes are no bytes."""
    try:
        path = Path(media.name)
    except ValueError:
        raise DatasetError(
            f"{where}: field 'media.path_bytes': expected bytes in hexadecimal, got"
            f" {media.path_bytes!r:.80}"
        ) from None
    if ".." in path.parts and not path.is_absolute():
        raise DatasetError(
            f"{where}: field 'media.path': expected a path within the data root, got"
            f" {media.path!r:.80}"
        )


def _read_what_is_whole(path: Path) -> list[StoredSample]:
    """Return the questions up to the first damaged line."""
    found: list[StoredSample] = []
    if not path.exists():
        return found
    try:
        for _, sample in _read(path):
            found.append(sample)
    except (DatasetError, UsageError):  # what is damaged is written again
        pass
    return found


def _require_same(folder: Path, stored: StoredSample, planned: StoredSample | None) -> None:
    where = f"{folder / SAMPLES}: {stored.id!r:.80}"
    if planned is None:
        raise RunMismatchError(
            f"{where} is not a question of this evaluation. Use another --out to keep both"
        )
    stored, planned = _comparable(stored, planned)
    differing = [
        one.name
        for one in fields(StoredSample)
        if getattr(stored, one.name) != getattr(planned, one.name)
    ]
    if differing:
        name = differing[0]
        raise RunMismatchError(
            f"{where}: another question than the one asked now (stored != asked): {name}:"
            f" {getattr(stored, name)!r:.120} != {getattr(planned, name)!r:.120}."
            " Use another --out to keep both"
        )


def _comparable(*samples: StoredSample) -> tuple[StoredSample, ...]:
    """Return samples without the paths of media outside the data root, which may move."""
    return tuple(
        replace(
            sample,
            media=tuple(
                replace(one, path="", path_bytes=None) if one.path.startswith("/") else one
                for one in sample.media
            ),
        )
        for sample in samples
    )


def _count_items(folder: Path) -> int:
    """Return how many questions ``run.json`` names; 0 where it cannot be read."""
    try:
        data = read_json(folder / "run.json").get("data", {})
        return sum(int(about["items"]) for about in data.values())
    except (UsageError, DatasetError, AttributeError, KeyError, TypeError, ValueError):
        return 0
