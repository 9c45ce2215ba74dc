"""Caches decoded frames on disk, for evaluating many checkpoints on the same videos.

One file per content of a video and frame policy: a digest, a line of JSON, the raw pixels. The
digest covers all the rest, so a damaged file is never shown to a model: its video is decoded again.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError, UsageError
from harness.files import open_file, sweep_leftovers, write_atomically
from harness.schema import Clip, FramePolicy, Media, MediaKind
from harness.video.decode import DECODER_VERSION, content_key, decode

_SUFFIX = ".frames"
BROKEN_HEAD = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What an entry of another version, or one that was made by hand, raises."""
_DESCRIBED = [
    field.name for field in fields(Clip) if field.name not in ("frames", "decode_s", "cached")
]


@dataclass(frozen=True, slots=True)
class FrameCache:
    """A decoder that stores the clips it decodes; decode workers can import and run it.

    When the cache exceeds `max_bytes`, the least recently used clips are deleted. A clip that
    cannot be stored (the disk is full) is decoded again next time; the run counts decodes.
    """

    folder: Path
    max_bytes: int

    def __call__(self, media: Media, policy: FramePolicy, *, patch_multiple: int) -> Clip:
        """Return the clip from the cache, or decode and store it."""
        began = time.perf_counter()
        key = content_key(media, policy, patch_multiple=patch_multiple)
        clip = self._load(key)
        if clip is not None:
            return replace(clip, decode_s=time.perf_counter() - began, cached=True)
        clip = decode(media, policy, patch_multiple=patch_multiple, key=key)
        self._store(clip)
        return clip

    def check(self) -> None:
        """Raise `UsageError` if files cannot be written to the cache's folder.

        Deletes what killed processes left there. A file that a process on another machine is just
        writing may go with it: its video is decoded again next time.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for folder in (self.folder, *self.folder.glob("??")):
                sweep_leftovers(folder)
            probe = self.folder / f".probe.{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise UsageError(
                f"{self.folder}: frames cannot be kept here: {error.strerror};"
                " choose another --frame-cache"
            ) from None

    def _file_of(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}-{DECODER_VERSION}{_SUFFIX}"

    def _load(self, key: str) -> Clip | None:
        path = self._file_of(key)
        try:
            with open_file(path) as file:
                digest, head, pixels = file.readline(), file.readline(), bytearray(file.read())
            os.utime(path)  # the time of use, by which clips are evicted
        except (OSError, UsageError):
            return None
        if digest != _digest(head, pixels):
            return None
        try:
            clip = _make_clip(head, pixels)
        except BROKEN_HEAD:  # another version's entry
            return None
        whole = clip.key == key and len(clip.indices) == len(clip.timestamps) == len(clip.frames)
        return clip if whole else None

    def _store(self, clip: Clip) -> None:
        pixels = np.ascontiguousarray(clip.frames)
        if pixels.nbytes > self.max_bytes:
            return
        head = json.dumps({**describe_clip(clip), "shape": pixels.shape}).encode() + b"\n"
        path = self._file_of(clip.key)

        def write(temporary: Path) -> None:
            with temporary.open("wb") as file:
                file.writelines([_digest(head, pixels.data), head, pixels.data])

        with suppress(HarnessError):  # the disk is full: see the docstring of the class
            write_atomically(path, write, sync=False)  # a torn file fails its digest
        self._evict()

    def _evict(self) -> None:
        """Delete the least recently used clips above `max_bytes`; other workers may do so, too."""
        found: list[tuple[float, int, Path]] = []
        for path in self.folder.glob(f"*/*{_SUFFIX}"):
            try:
                state = path.stat()
            except FileNotFoundError:
                continue
            found.append((state.st_mtime, state.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self.max_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size


def _digest(head: bytes, pixels: bytearray | memoryview) -> bytes:
    hashed = hashlib.blake2b(head)
    hashed.update(pixels)
    return hashed.hexdigest().encode() + b"\n"


def describe_clip(clip: Clip) -> dict[str, Any]:
    """Return everything that is stored of a clip besides its frames, as JSON types."""
    return {name: getattr(clip, name) for name in _DESCRIBED}


def build_clip(described: dict[str, Any], frames: NDArray[np.uint8]) -> Clip:
    """Return the clip that was described; what is wrong with a description raises `BROKEN_HEAD`."""
    fields_of_clip = {**described, "kind": MediaKind(described["kind"])}
    for name in ("indices", "timestamps", "notes"):
        fields_of_clip[name] = tuple(described[name])
    return Clip(**fields_of_clip, frames=frames)


def _make_clip(head: bytes, pixels: bytearray) -> Clip:
    described = json.loads(head)
    shape = described.pop("shape")
    return build_clip(described, np.frombuffer(pixels, dtype=np.uint8).reshape(shape))
