"""Decodes a media file into a `Clip`: sampled, upright, resized frames, none of them concealed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
from PIL import Image, ImageOps
from xxhash import xxh3_128

from harness.errors import InaccessibleMediaError, MediaError, UnusableMediaError
from harness.files.content import kind_of_special
from harness.schema import Clip, FramePolicy, Media, MediaKind
from harness.video.folders import numbered_images
from harness.video.image_modes import to_rgb
from harness.video.orientation import Frame
from harness.video.reader import read
from harness.video.sampling import find_span, frame_size, select
from harness.video.timeline import round_time
from harness.video.track import scan

DECODER_VERSION = 2
"""Rises when the frames or times of some file change; the frame cache keeps them apart.

It is no part of `content_key`, on which the shuffles of frames depend.
"""

LARGE_FILE = 256 << 20
"""Bytes from which a file's content is hashed by XXH3 (about 20 minutes of 720p)."""


def decode(
    media: Media, policy: FramePolicy, *, patch_multiple: int, key: str | None = None
) -> Clip:
    """Decode the frames that `policy` selects from `media`, in the order of the file.

    Order and seed of `policy` are ignored: see `harness.video.variants.arrange`.

    Args:
        media: A video, a folder of numbered images, or one image (a clip of one frame).
        policy: Which frames, and how many pixels each.
        patch_multiple: What the sides of a frame are multiples of, in pixels.
        key: The `content_key` of these arguments, if the caller has it.

    Returns:
        A clip with all its frames, undamaged.

    Raises:
        MediaError: A selected frame cannot be decoded; names the path and the reason.
    """
    began = time.perf_counter()
    try:
        if media.kind is not MediaKind.FRAMES:
            _refuse_special(media.path)
        clip = _make_clip(_OPEN[media.kind](media), media, policy, patch_multiple)
    except MediaError as error:
        raise type(error)(f"{media.path}: {error}") from error
    key = key or content_key(media, policy, patch_multiple=patch_multiple)
    return dataclasses.replace(clip, key=key, decode_s=time.perf_counter() - began)


def decode_at(media: Media, indices: Sequence[int], size: tuple[int, int]) -> Clip:
    """Decode the frames at given indices, whatever rule has chosen them.

    Args:
        media: A video, a folder of numbered images, or an image; its span is ignored.
        indices: Indices from 0, ascending, none twice.
        size: Width and height that every frame gets, in pixels.

    Returns:
        A clip whose timestamps are counted from the start of the file.

    Raises:
        MediaError: The file cannot be read or has fewer frames; names the path and the reason.
    """
    began = time.perf_counter()
    try:
        if media.kind is not MediaKind.FRAMES:
            _refuse_special(media.path)
        source = _OPEN[media.kind](media)
        total = len(source.times)
        absent = [index for index in indices if not 0 <= index < total]
        if absent:
            raise UnusableMediaError(f"it has {total} frames, there is no frame {absent[-1]}")
        frames = _read_frames(source, indices, lambda width, height: size)
    except MediaError as error:
        raise type(error)(f"{media.path}: {error}") from error
    return Clip(
        key="",
        kind=media.kind,
        frames=np.stack([frames[index] for index in indices]),
        indices=tuple(indices),
        timestamps=tuple(round_time(source.times[index]) for index in indices),
        fps=source.fps,
        total_frames=total,
        duration_s=total / source.fps,
        decode_s=time.perf_counter() - began,
        notes=source.notes,
    )


def _refuse_special(path: Path) -> None:
    """Raise `InaccessibleMediaError` for a pipe or a device, which may never end, and a folder."""
    try:
        kind = kind_of_special(path)
    except OSError:
        return  # whoever opens it says why that is not possible
    if kind is not None:
        raise InaccessibleMediaError(f"is {kind}, expected a file")


def content_key(media: Media, policy: FramePolicy, *, patch_multiple: int) -> str:
    """Hash everything that the pixels of a clip depend on: file contents (not names) and policy.

    Raises:
        MediaError: A file cannot be read.
    """
    choices = dataclasses.asdict(policy)
    del choices["order"], choices["seed"]
    hashed = hashlib.blake2b(digest_size=16)
    described = [media.kind, media.start_s, media.end_s, media.fps, choices, patch_multiple]
    hashed.update(json.dumps(described, sort_keys=True).encode())
    try:
        for path in (
            numbered_images(media.path) if media.kind is MediaKind.FRAMES else (media.path,)
        ):
            _refuse_special(path)
            hashed.update(_hash_file(path))
    except OSError as error:
        raise InaccessibleMediaError(f"{media.path}: {error.strerror}") from error
    return hashed.hexdigest()


def _hash_file(path: Path) -> bytes:
    """Hash the content of a file: XXH3, which is nine times as fast, from `LARGE_FILE` on.

    Smaller files keep BLAKE2b, on whose keys the shuffles of earlier runs depend.
    """
    with path.open("rb", buffering=0) as file:
        if path.stat().st_size < LARGE_FILE:
            return hashlib.file_digest(file, "blake2b").digest()
        digest, block = xxh3_128(), memoryview(bytearray(1 << 20))
        while size := file.readinto(block):
            digest.update(block[:size])
        return digest.digest()


def resize(frame: Frame, size: tuple[int, int]) -> Frame:
    """Resize one frame to (width, height) pixels, bicubic."""
    image = Image.fromarray(np.ascontiguousarray(frame))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenMedia:
    """An opened medium: what is known before decoding, and the function that decodes."""

    fps: float
    times: Sequence[float]
    """Presentation time of every frame in seconds."""
    first: int
    """Number of the first frame in the frame rules: 0 for videos, 1 for frame folders."""
    read: Callable[[frozenset[int]], Iterable[tuple[int, Frame]]]
    """Yields (index from 0, frame), as `harness.video.reader.read` does."""
    notes: tuple[str, ...] = ()
    """What a reader of the record should know about the file."""


def _make_clip(source: _OpenMedia, media: Media, policy: FramePolicy, patch_multiple: int) -> Clip:
    times, first = source.times, source.first
    part = find_span(
        policy, times, fps=source.fps, start_s=media.start_s, end_s=media.end_s, first=first
    )
    taken = tuple(number - first for number in select(policy, part))
    if media.kind is MediaKind.IMAGE:
        taken = taken[:1]  # an image is shown once, whatever a rule for videos repeats
    origin = times[min(part.start - first, *taken)]
    frames = _read_frames(source, taken, partial(_size_by_policy, policy, patch_multiple))
    return Clip(
        key="",  # set by `decode`
        kind=media.kind,
        frames=np.stack([frames[index] for index in taken]),
        indices=taken,
        timestamps=tuple(sorted(round_time(times[index] - origin) for index in taken)),
        fps=source.fps,
        total_frames=len(times),
        duration_s=len(times) / source.fps,
        notes=source.notes,
    )


def _open_video(media: Media) -> _OpenMedia:
    track = scan(media.path)
    notes = []
    if track.unshown_lead:
        notes.append(
            f"it begins in the middle of a group of pictures: {track.unshown_lead} frames before"
            " the first key frame are left out"
        )
    return _OpenMedia(
        fps=track.fps,
        times=track.times,
        first=0,
        read=partial(read, track),
        notes=tuple(notes),
    )


def _open_folder(media: Media) -> _OpenMedia:
    if media.fps is None:
        raise UnusableMediaError("a frame folder needs a frame rate in its question file")
    files = numbered_images(media.path)
    times = [round_time(index / media.fps) for index in range(len(files))]
    return _OpenMedia(fps=media.fps, times=times, first=1, read=partial(_read_images, files))


def _open_image(media: Media) -> _OpenMedia:
    return _OpenMedia(fps=1.0, times=(0.0,), first=0, read=partial(_read_images, (media.path,)))


_OPEN: Mapping[MediaKind, Callable[[Media], _OpenMedia]] = MappingProxyType(
    {
        MediaKind.VIDEO: _open_video,
        MediaKind.FRAMES: _open_folder,
        MediaKind.IMAGE: _open_image,
    }
)


def _read_images(files: Sequence[Path], wanted: frozenset[int]) -> Iterator[tuple[int, Frame]]:
    for index in wanted:
        try:
            with Image.open(files[index]) as image:
                yield index, np.asarray(to_rgb(ImageOps.exif_transpose(image)))
        # SyntaxError is what Pillow raises for a broken PNG.
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise MediaError(f"{files[index].name}: {error}") from error


def _size_by_policy(
    policy: FramePolicy, patch_multiple: int, width: int, height: int
) -> tuple[int, int]:
    return frame_size(
        width,
        height,
        min_pixels=policy.min_pixels,
        max_pixels=policy.max_pixels,
        patch_multiple=patch_multiple,
    )


def _read_frames(
    source: _OpenMedia, taken: Sequence[int], target: Callable[[int, int], tuple[int, int]]
) -> Mapping[int, Frame]:
    """Read frames and resize them one at a time, so that few are in memory at source size.

    Args:
        source: The opened medium.
        taken: Indices of the frames, from 0.
        target: Returns the width and height that a frame of this width and height gets.

    Raises:
        MediaError: The picture size changes between the frames.
    """
    sizes: dict[int, tuple[int, int]] = {}
    frames: dict[int, Frame] = {}
    for index, frame in source.read(frozenset(taken)):
        sizes[index] = width, height = frame.shape[1], frame.shape[0]
        frames[index] = resize(frame, target(width, height))
    first = min(sizes)
    for index in sorted(sizes):
        if sizes[index] != sizes[first]:
            raise UnusableMediaError(
                f"the picture size changes: frame {first} has {_format_size(sizes[first])} pixels,"
                f" frame {index} has {_format_size(sizes[index])}; convert it to one size"
            )
    return frames


def _format_size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
