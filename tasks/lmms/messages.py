"""From lmms-eval's chat messages to a prompt and its media, in the order of the messages.

Images that exist in memory only are named by their content in a folder and written there when they
are needed, so that a question about them is decoded, resumed and clustered like any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import UnavailableTaskError
from harness.schema import Media, MediaKind, Prompt

_KINDS = {"video": MediaKind.VIDEO, "image": MediaKind.IMAGE}


@dataclass(frozen=True, slots=True)
class Question:
    """One document as a model is asked about it."""

    prompt: Prompt
    media: tuple[Media, ...]


@dataclass(slots=True)
class _Turn:
    """A user turn while it is read: what stands before each medium, and what stands last."""

    before: list[str] = field(default_factory=list)
    media: list[Media] = field(default_factory=list)
    text: str = ""

    def add(self, medium: Media) -> None:
        self.before.append(self.text)
        self.media.append(medium)
        self.text = ""


def read_messages(messages: Sequence[Mapping[str, Any]], images: Path) -> Question:
    """Read one optional system turn and one user turn; nothing is written.

    Args:
        messages: What a task's ``doc_to_messages`` gives.
        images: The folder that `write_images` would be given.

    Raises:
        UnavailableTaskError: Other turns, audio, media at a URL, or frames without a file.
    """
    roles = [message["role"] for message in messages]
    if roles not in (["user"], ["system", "user"]):
        raise UnavailableTaskError(f"its messages have the turns {', '.join(roles)}")
    turn = _Turn()
    for part in _parts(messages[-1]):
        if part["type"] == "text":
            turn.text += part["text"]
        else:
            turn.add(_medium(part, images))
    system = "".join(part["text"] for part in _parts(messages[0])) if len(roles) == 2 else None
    interleaved = tuple(turn.before) if any(turn.before) else ()
    return Question(Prompt(text=turn.text, system=system, before=interleaved), tuple(turn.media))


def write_images(messages: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Write the images of the user turn that are no files as PNG, where they are not yet."""
    for part in _parts(messages[-1]):
        image: Any = part.get("url")
        if part["type"] == "image" and _in_memory(image):
            path = _named(image, folder)
            if not path.exists():
                folder.mkdir(parents=True, exist_ok=True)
                beside = path.with_suffix(".part")
                image.convert("RGB").save(beside, "PNG", compress_level=1)
                beside.replace(path)


def _parts(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _medium(part: Mapping[str, Any], images: Path) -> Media:
    kind = _KINDS.get(part["type"])
    source: Any = part.get("url")
    if kind is None:
        raise UnavailableTaskError(f"its messages have {part['type']!r}, which cannot be shown")
    start_s = end_s = None
    if isinstance(source, Mapping):
        start_s, end_s = source.get("video_start"), source.get("video_end")
        source = source.get("url") or source.get("path") or source.get("video")
    if isinstance(source, str | Path):
        if str(source).startswith(("http://", "https://", "data:")):
            raise UnavailableTaskError(f"its media are not files: {str(source)[:60]}")
        return Media(path=Path(source), kind=kind, start_s=start_s, end_s=end_s)
    if kind is MediaKind.IMAGE and _in_memory(source):
        return Media(path=_named(source, images), kind=kind)
    raise UnavailableTaskError(f"its {part['type']} is a {type(source).__name__}, not a file")


def _in_memory(image: Any) -> bool:
    return hasattr(image, "convert")


def _named(image: Any, folder: Path) -> Path:
    """Name an image by its pixels: questions about the same one share a file and a cluster."""
    pixels = image.convert("RGB")
    digest = hashlib.sha256(f"{pixels.size}".encode() + pixels.tobytes())
    return folder / f"{digest.hexdigest()[:24]}.png"
