"""Decodes a media file into a `Clip`: sampled, upright, resized frames, none of them concealed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
from PIL import Image, ImageOps

from harness.errors import MediaError
from harness.schema import Clip, FramePolicy, Media, MediaKind
from harness.video.reader import Frame, read
from harness.video.sampling import (
    frame_size,
    indices,
    span,
)
from harness.video.track import scan


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
        clip = _make_clip(_OPEN[media.kind](media), media, policy, patch_multiple)
    except MediaError as error:
        raise MediaError(f"{media.path}: {error}") from error
    key = key or content_key(media, policy, patch_multiple=patch_multiple)
    return dataclasses.replace(clip, key=key, decode_s=time.perf_counter() - began)


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
            _numbered_images(media.path) if media.kind is MediaKind.FRAMES else (media.path,)
        ):
            with path.open("rb") as file:
                hashed.update(hashlib.file_digest(file, "blake2b").digest())
    except OSError as error:
        raise MediaError(f"{media.path}: {error.strerror}") from error
    return hashed.hexdigest()


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


def _make_clip(source: _OpenMedia, media: Media, policy: FramePolicy, patch_multiple: int) -> Clip:
    total, first = len(source.times), source.first
    numbers = indices(
        policy,
        total=total,
        fps=source.fps,
        start_s=media.start_s,
        end_s=media.end_s,
        first=first,
    )
    taken = tuple(number - first for number in numbers)
    start, _ = span(
        total=total, fps=source.fps, start_s=media.start_s, end_s=media.end_s, first=first
    )
    frames = dict(_resize_frames(source.read(frozenset(taken)), policy, patch_multiple))
    return Clip(
        key="",  # set by `decode`
        kind=media.kind,
        frames=_stack_frames([frames[index] for index in taken]),
        indices=taken,
        timestamps=tuple(source.times[index] - source.times[start - first] for index in taken),
        fps=source.fps,
        total_frames=total,
        duration_s=total / source.fps,
    )


def _open_video(media: Media) -> _OpenMedia:
    track = scan(media.path)
    return _OpenMedia(fps=track.fps, times=track.times, first=0, read=partial(read, track))


def _open_folder(media: Media) -> _OpenMedia:
    if media.fps is None:
        raise MediaError("a frame folder needs a frame rate")
    files = _numbered_images(media.path)
    times = [index / media.fps for index in range(len(files))]
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


def _numbered_images(folder: Path) -> tuple[Path, ...]:
    """List the images of a folder by the number at the end of their names; a gap is an error."""
    try:
        numbered = {
            int(match.group()): path
            for path in folder.iterdir()
            if (match := re.search(r"\d+$", path.stem))
        }
    except OSError as error:
        raise MediaError(str(error.strerror)) from error
    if not numbered:
        raise MediaError("the folder holds no numbered images")
    for number in range(min(numbered), max(numbered)):
        if number not in numbered:
            raise MediaError(f"image {number} of {min(numbered)} to {max(numbered)} is missing")
    return tuple(numbered[number] for number in sorted(numbered))


def _read_images(files: Sequence[Path], wanted: frozenset[int]) -> Iterator[tuple[int, Frame]]:
    for index in wanted:
        try:
            with Image.open(files[index]) as image:
                yield index, np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        # SyntaxError is what Pillow raises for a broken PNG.
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise MediaError(f"{files[index].name}: {error}") from error


def _resize_frames(
    frames: Iterable[tuple[int, Frame]], policy: FramePolicy, patch_multiple: int
) -> Iterator[tuple[int, Frame]]:
    """Resize frames one at a time, so that few are in memory at source size."""
    for index, frame in frames:
        height, width = frame.shape[:2]
        size = frame_size(
            width,
            height,
            min_pixels=policy.min_pixels,
            max_pixels=policy.max_pixels,
            patch_multiple=patch_multiple,
        )
        yield index, resize(frame, size)


def _stack_frames(frames: Sequence[Frame]) -> Frame:
    sizes = {frame.shape for frame in frames}
    if len(sizes) > 1:
        raise MediaError(f"the frames differ in size: {sorted(sizes)}")
    return np.stack(frames)
