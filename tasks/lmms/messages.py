"""Convert lmms-eval's chat messages to a prompt and its media, in the order of the messages.

An image that exists only in memory is named after its content and written to a folder when a run
needs it; from then on it is decoded, resumed and clustered like any other file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from harness.errors import UnavailableTaskError
from harness.files import write_atomically
from harness.schema import Media, MediaKind, Prompt

_KINDS = {"video": MediaKind.VIDEO, "image": MediaKind.IMAGE}


@dataclass(frozen=True, slots=True)
class Question:
    """Prompt and media of one document."""

    prompt: Prompt
    media: tuple[Media, ...]


@dataclass(slots=True)
class _Turn:
    """A user turn while it is read: the text before each medium, and the text after the last."""

    before: list[str] = field(default_factory=list)
    media: list[Media] = field(default_factory=list)
    text: str = ""

    def add(self, medium: Media) -> None:
        self.before.append(self.text)
        self.media.append(medium)
        self.text = ""


def read_messages(messages: Sequence[Mapping[str, Any]], images: Path) -> Question:
    """Read a user turn and an optional system turn before it; write nothing.

    Args:
        messages: The result of a task's ``doc_to_messages``.
        images: The folder that `write_images` gets.

    Raises:
        UnavailableTaskError: Other turns, audio, media at a URL, or frames without a file.
    """
    roles = [message["role"] for message in messages]
    if roles not in (["user"], ["system", "user"]):
        raise UnavailableTaskError(f"its messages have the turns {', '.join(roles)}")
    turn = _Turn()
    for part in _content_parts(messages[-1]):
        if part["type"] == "text":
            turn.text += part["text"]
        else:
            turn.add(_make_media(part, images))
    system = (
        "".join(part["text"] for part in _content_parts(messages[0])) if len(roles) == 2 else None
    )
    interleaved = tuple(turn.before) if any(turn.before) else ()
    return Question(Prompt(text=turn.text, system=system, before=interleaved), tuple(turn.media))


def write_images(messages: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Write the user turn's in-memory images as PNG files unless they exist."""
    for part in _content_parts(messages[-1]):
        image: Any = part.get("url")
        if part["type"] == "image" and _is_in_memory(image):
            path = _image_path(image, folder)
            if not path.exists():
                write_atomically(path, partial(_save_png, image))


def _save_png(image: Any, path: Path) -> None:
    image.convert("RGB").save(path, "PNG", compress_level=1)


def _content_parts(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _make_media(part: Mapping[str, Any], images: Path) -> Media:
    kind = _KINDS.get(part["type"])
    source: Any = part.get("url")
    if kind is None:
        raise UnavailableTaskError(
            f"its messages have the type {part['type']!r}, which is not supported"
        )
    start_s = end_s = None
    if isinstance(source, Mapping):
        start_s, end_s = source.get("video_start"), source.get("video_end")
        source = source.get("url") or source.get("path") or source.get("video")
    if isinstance(source, str | Path):
        if str(source).startswith(("http://", "https://", "data:")):
            raise UnavailableTaskError(f"its media are not files: {str(source)[:60]}")
        return Media(path=Path(source), kind=kind, start_s=start_s, end_s=end_s)
    if kind is MediaKind.IMAGE and _is_in_memory(source):
        return Media(path=_image_path(source, images), kind=kind)
    raise UnavailableTaskError(f"its {part['type']} is a {type(source).__name__}, not a file")


def _is_in_memory(image: Any) -> bool:
    return hasattr(image, "convert")


def _image_path(image: Any, folder: Path) -> Path:
    """Return a path named after the pixels: equal images share a file and a cluster."""
    pixels = image.convert("RGB")
    digest = hashlib.sha256(f"{pixels.size}".encode() + pixels.tobytes())
    return folder / f"{digest.hexdigest()[:24]}.png"
