"""Keeps the model inputs of rows on disk, so that a later epoch neither decodes nor processes.

One file per prompt and content of its media: a digest, a line of JSON, the raw numbers of tensors
and frames. The digest covers all the rest, so a damaged file is never trained on: its row is
decoded again. Several processes may use one folder.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from xxhash import xxh3_128

from harness.errors import HarnessError, MediaError, UsageError
from harness.files import open_file, write_atomically
from harness.models.checkpoint import Checkpoint
from harness.schema import Clip, Media, Prompt
from harness.video.cache import BROKEN_HEAD, build_clip, describe_clip
from harness.video.decode import DECODER_VERSION, content_key
from trainer.config.recipe import Recipe
from trainer.config.sections import FrameSettings

if TYPE_CHECKING:
    import torch

_SUFFIX = ".inputs"
_VERSION = 1
_READERS = 2
"""Threads that read ahead."""
_SCAN_SHARE = 0.05
"""Share of the bound that a process writes before it looks at the size of the folder again."""
_THIRD_PARTY = ("torch", "torchvision", "transformers", "tokenizers")
"""Packages whose version may change what a processor makes of pixels and texts."""

Parts = tuple[tuple[int, ...], Mapping[str, "torch.Tensor"], tuple[Clip, ...]]
"""Token ids, tensors and clips of a prompt."""


class InputCache:
    """Stores model inputs by content: of the media, the prompt, the frames and the processor.

    When the folder exceeds its bound, the least recently used files are deleted; it may be larger
    by a twentieth per process for a while. What cannot be stored is built again next time.

    Args:
        folder: Where the files are.
        max_bytes: Size of the folder at most.
        frames: Which frames are taken, and their size.
        patch_multiple: The sides of a frame are multiples of this many pixels.
        identity: What else the inputs depend on: hashes of the processor's files.
    """

    def __init__(
        self,
        folder: Path,
        max_bytes: int,
        *,
        frames: FrameSettings,
        patch_multiple: int,
        identity: Mapping[str, Any],
    ) -> None:
        self.hits = 0
        """Prompts that were read."""
        self._folder = folder
        self._max_bytes = max_bytes
        self._frames = frames
        self._patch_multiple = patch_multiple
        described = [_VERSION, DECODER_VERSION, identity, dict(_list_versions())]
        self._identity = json.dumps(described, sort_keys=True, default=str)
        self._contents: dict[tuple[Media, int, int], str] = {}
        """Keys of media by time and size of their files."""
        self._unscanned = max_bytes
        self._threads = ThreadPoolExecutor(_READERS, thread_name_prefix="inputs")

    def check(self) -> None:
        """Raise `UsageError` if files cannot be written to the folder."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            probe = self._folder / f".probe.{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise UsageError(
                f"data.input_cache {self._folder}: inputs cannot be kept here: {error.strerror};"
                " choose another folder"
            ) from None

    def close(self) -> None:
        """End the threads that read; the program waits for them when it ends."""
        self._threads.shutdown(cancel_futures=True)

    def key_of(self, prompt: Prompt, media: Sequence[Media]) -> str | None:
        """Return the key of a prompt's inputs; None without media, or where one cannot be read."""
        if not media:
            return None
        try:
            contents = [self._content_of(one) for one in media]
        except (MediaError, OSError):
            return None
        described = json.dumps([prompt.text, prompt.system, contents, *prompt.before])
        return hashlib.blake2b(
            f"{self._identity}\n{described}".encode("utf-8", "surrogatepass"), digest_size=16
        ).hexdigest()

    def has(self, key: str) -> bool:
        """Return whether there is a file, which may still be damaged."""
        return self._file_of(key).is_file()

    def start(self, key: str) -> Future[Parts | None]:
        """Begin to read the parts of a prompt; None where the file is gone or damaged."""
        return self._threads.submit(self._load, key)

    def store(
        self, key: str, ids: Sequence[int], tensors: Mapping[str, Any], clips: Sequence[Clip]
    ) -> None:
        """Store the parts of a prompt."""
        arrays = _as_arrays(tensors)
        if arrays is None:
            return
        body = [*arrays.values(), *(np.ascontiguousarray(clip.frames) for clip in clips)]
        head = {
            "ids": list(ids),
            "tensors": [[name, str(a.dtype), a.shape] for name, a in arrays.items()],
            "clips": [{**describe_clip(clip), "shape": clip.frames.shape} for clip in clips],
        }
        content = [json.dumps(head).encode() + b"\n", *(one.data.cast("B") for one in body)]
        size = sum(len(one) for one in content)
        if size > self._max_bytes:
            return

        def write(temporary: Path) -> None:
            with temporary.open("wb") as file:
                file.writelines([_digest(content), *content])

        with suppress(HarnessError):  # the disk is full: the row is built again next time
            write_atomically(self._file_of(key), write, sync=False)
            self._bound(size)

    def _load(self, key: str) -> Parts | None:
        path = self._file_of(key)
        try:
            with open_file(path) as file:
                digest, head, body = file.readline(), file.readline(), bytearray(file.read())
            os.utime(path)  # the time of use, by which files are evicted
        except (OSError, UsageError):
            return None
        if digest != _digest([head, body]):
            return None
        try:
            found = _read_parts(json.loads(head), body)
        except BROKEN_HEAD:
            return None
        self.hits += 1
        return found

    def _content_of(self, media: Media) -> str:
        state = media.path.stat()
        known = (media, state.st_mtime_ns, state.st_size)
        if known not in self._contents:
            policy = self._frames.policy(media.kind)
            self._contents[known] = content_key(media, policy, patch_multiple=self._patch_multiple)
        return self._contents[known]

    def _file_of(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}{_SUFFIX}"

    def _bound(self, written: int) -> None:
        """Delete the least recently used files above the bound; other processes may do so, too."""
        self._unscanned += written
        if self._unscanned < self._max_bytes * _SCAN_SHARE:
            return
        self._unscanned = 0
        found = []
        for path in self._folder.glob(f"*/*{_SUFFIX}"):
            with suppress(FileNotFoundError):
                state = path.stat()
                found.append((state.st_mtime, state.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self._max_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size


def make_input_cache(recipe: Recipe, checkpoint: Checkpoint) -> InputCache | None:
    """Return the cache that a recipe asks for, None where it asks for none.

    Raises:
        UsageError: Files cannot be written to its folder.
    """
    data = recipe.data
    if data.input_cache is None:
        return None
    cache = InputCache(
        data.input_cache,
        data.input_cache_gib << 30,
        frames=recipe.frames,
        patch_multiple=checkpoint.patch_multiple,
        identity={name: part for name, part in checkpoint.identity.items() if name != "weights"},
    )
    cache.check()
    return cache


def _list_versions() -> Iterator[tuple[str, str]]:
    from importlib.metadata import PackageNotFoundError, version

    for name in _THIRD_PARTY:
        with suppress(PackageNotFoundError):
            yield name, version(name)


def _digest(parts: Sequence[Any]) -> bytes:
    hashed = xxh3_128()
    for part in parts:
        hashed.update(part)
    return hashed.hexdigest().encode() + b"\n"


def _as_arrays(tensors: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return tensors as arrays; None where NumPy lacks the number format of one."""
    try:
        return {name: np.ascontiguousarray(one.numpy()) for name, one in tensors.items()}
    except TypeError:
        return None


def _read_parts(head: Mapping[str, Any], body: bytearray) -> Parts:
    import torch

    at = 0

    def take(dtype: str, shape: Sequence[int]) -> Any:
        nonlocal at
        kind = np.dtype(dtype)
        count = int(np.prod(shape, dtype=np.int64))
        found = np.frombuffer(body, kind, count, at).reshape(shape)
        at += count * kind.itemsize
        return found

    tensors = {name: torch.from_numpy(take(dtype, shape)) for name, dtype, shape in head["tensors"]}
    clips = []
    for one in head["clips"]:
        described = dict(one)
        clips.append(build_clip(described, take("uint8", described.pop("shape"))))
    if at != len(body):
        raise ValueError(f"{len(body) - at} bytes too many")
    return tuple(head["ids"]), tensors, tuple(clips)
