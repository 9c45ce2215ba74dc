"""Split a question at its ``<image>`` and ``<video>`` placeholders, one for each medium of the row.

A row may name several media (``images``, ``videos``). Its question says with a placeholder where
each of them stands; without placeholders all media come before the question, images first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.schema import Media, MediaKind, Prompt, Sample
from harness.scoring import prompts

_PLACEHOLDER = re.compile(r"<(image|video)>")


def kinds_named(question: str) -> list[MediaKind]:
    """Return the kinds of media that a question has placeholders for, in order."""
    return [MediaKind(kind) for kind in _PLACEHOLDER.findall(question)]


def in_order(question: str, images: Sequence[Media], videos: Sequence[Media]) -> tuple[Media, ...]:
    """Return the media of a row in the order in which its question names them.

    Raises:
        ValueError: There are placeholders, and not one for each medium.
    """
    named = kinds_named(question)
    if not named:
        return (*images, *videos)
    for kind, given in ((MediaKind.IMAGE, images), (MediaKind.VIDEO, videos)):
        if named.count(kind) != len(given):
            raise ValueError(
                f"expected one <{kind}> for each of the {len(given)} {kind}s, or no placeholder at"
                f" all, got {named.count(kind)}"
            )
    left = {MediaKind.IMAGE: iter(images), MediaKind.VIDEO: iter(videos)}
    return tuple(next(left[kind]) for kind in named)


def row_prompt(sample: Sample) -> Prompt:
    """Return the prompt of a row, with the template of the ``video-r1`` protocol.

    Texts and media alternate where the question has a placeholder for each medium.
    """
    text = prompts.video_r1(sample.question, sample.kind, sample.options)
    kinds = [media.kind for media in sample.media]
    if not kinds or kinds_named(sample.question) != kinds:
        return Prompt(text=text)
    *before, last = _PLACEHOLDER.split(sample.question)[::2]
    return Prompt(
        text=prompts.video_r1(last, sample.kind, sample.options),
        before=tuple(before),
    )


def shown_prompt(sample: Sample) -> str:
    """Return the text of a row's prompt for people, with its placeholders."""
    return prompts.video_r1(sample.question, sample.kind, sample.options)
