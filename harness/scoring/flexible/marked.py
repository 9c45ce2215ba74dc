"""Finds what a reply puts in marks for its answer: answer tags, box tokens, boxes of LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterator

_MOST_BOXES = 8
"""Boxes that are read, from the last one on."""
_LONGEST = 500
"""Characters in a box at most."""
_TAG = re.compile(r"<answer>(.*?)(?:</answer>|\Z)", re.DOTALL | re.IGNORECASE)
_BOX = re.compile(r"<\|begin_of_box\|>(.*?)(?:<\|end_of_box\|>|\Z)", re.DOTALL)


def marked_parts(text: str) -> Iterator[tuple[str, str]]:
    """Yield what stands in marks for the answer, the last of each kind."""
    tags = [part for part in _TAG.findall(text) if part.strip()] or _TAG.findall(text)[-1:]
    if tags:
        yield "answer-tag", tags[-1]
    boxes = _BOX.findall(text)
    if boxes:
        yield "box-tokens", boxes[-1]
    for part in reversed(list(boxed(text))[-_MOST_BOXES:]):
        yield "boxed", part


def boxed(text: str) -> Iterator[str]:
    r"""Yield the contents of ``\boxed{...}``, nested braces included, in order."""
    for match in re.finditer(r"\\(?:boxed|fbox)\s*\{", text):
        depth, end = 1, match.end()
        while end < min(len(text), match.end() + _LONGEST) and depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        yield text[match.end() : end - 1 if not depth else end]


def without_marked(text: str) -> str:
    """Return a text without marks that hold no answer."""
    return re.sub(r"\\(?:boxed|fbox)\s*\{", "{", _BOX.sub(r"\1", text))
