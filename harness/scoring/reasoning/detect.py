"""Finds how a chat template writes thoughts, by rendering it with texts that can be found again.

Two things are looked for: the pair of marks, and whether what the generation prompt adds ends
inside an open thought. The second cannot be told from a reply: ``B`` is an answer, or the whole of
a thought that was cut, where the template had written ``<think>``. Only what the generation prompt
adds is searched: a question may name both marks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.scoring.reasoning.marks import NAMED, closes_alone
from harness.scoring.reasoning.template import Message, TemplateError, added_text
from harness.thoughts import Marks, PromptEnd

_QUESTION, _THOUGHT, _ANSWER = "QZ1question1ZQ", "QZ2thought2ZQ", "QZ3answer3ZQ"
"""Texts put in for question, thought and answer, to find them again in the rendered prompt."""
_FIELDS = ("reasoning_content", "reasoning", "thinking")
"""Fields of an earlier turn in which templates look for its thought."""
_CALL: Mapping[str, Any] = {
    "tool_calls": [
        {"type": "function", "id": "abcdefghi", "function": {"name": "f", "arguments": {}}}
    ]
}
"""Templates that drop the thoughts of finished turns keep the one before a tool's result."""
_MARK = re.compile(r"<[^<>\s]{2,40}>|\[/?[A-Z_]{3,40}\]|◁[^◁▷]{2,40}▷")
_NEAR = 80
"""How many characters before a thought its mark is looked for."""
_TURN = re.compile(r"im_|turn|message|eom|eos|eot|header|role|start_of|end_of_|assistant|user|sep",
                   re.IGNORECASE)  # fmt: skip
"""Parts of the names of marks that begin and end turns; such marks tell no thought."""

Render = Callable[[Sequence[Message], bool], str]
"""Renders messages, with the generation prompt or without; raises `TemplateError`."""


@dataclass(frozen=True, slots=True)
class TemplateThoughts:
    """How a template writes thoughts."""

    marks: Marks | None
    """None: the template has no marks."""
    prompt_end: PromptEnd
    """State in which the generation prompt leaves the reply; FREE where there are no marks."""
    tail: str
    """What the generation prompt adds."""


def detect(render: Render, source: str = "") -> TemplateThoughts:
    """Return how a template writes thoughts.

    Args:
        render: Renders messages with the template and the variables of the protocol.
        source: The template's own text, where it can be read; known pairs are looked for in it.

    Raises:
        TemplateError: The template renders no prompt.
    """
    tail = generation_prompt(render)
    marks = _find_marks(render, source, tail)
    return TemplateThoughts(marks, end_of(tail, marks), tail)


def generation_prompt(render: Render, messages: Sequence[Message] | None = None) -> str:
    """Return what the generation prompt adds to messages (default: one question)."""
    asked = messages or [{"role": "user", "content": _QUESTION}]
    longer = _render_any(render, asked, prompt=True)
    try:
        shorter = _render_any(render, asked, prompt=False)
    except TemplateError:
        shorter = ""
    added = added_text(longer, shorter)
    if shorter and added and added != longer:
        return added
    # The template always adds it, or never renders without it.
    return longer[longer.rfind(_QUESTION) + len(_QUESTION) :] if _QUESTION in longer else longer


def end_of(tail: str, marks: Marks | None) -> PromptEnd:
    """Return whether a prompt's tail ends in an open thought, after a closed one, or in neither."""
    if marks is None:
        return PromptEnd.FREE
    if not marks.open:
        return PromptEnd.CLOSED if marks.close in tail else PromptEnd.OPEN
    opened, closed = tail.rfind(marks.open), tail.rfind(marks.close)
    if opened < 0 and closed < 0:
        return PromptEnd.FREE
    return PromptEnd.OPEN if opened > closed else PromptEnd.CLOSED


def _render_any(render: Render, messages: Sequence[Message], *, prompt: bool) -> str:
    """Render messages with contents as texts, or as parts where a template wants parts."""
    try:
        return render(messages, prompt)
    except TemplateError:
        parts = [{**m, "content": [{"type": "text", "text": m["content"]}]} for m in messages]
        return render(parts, prompt)


def _find_marks(render: Render, source: str, tail: str) -> Marks | None:
    """Return the marks around an earlier thought, else a known pair in the template's text."""
    for before, after in _shown_thoughts(render):
        found = _marks_between(before, after)
        if found:
            return found
    pairs = [pair for pair in NAMED.values() if pair.open]
    for pair in pairs:
        if pair.open in source and pair.close in source:
            return pair
    for pair in pairs:
        if pair.open in tail or (pair.close in source and closes_alone(pair)):
            return pair
    return NAMED["apriel"] if NAMED["apriel"].close in source + tail else None


def _shown_thoughts(render: Render) -> Iterator[tuple[str, str]]:
    """Yield the texts before and after a thought in every way in which a template shows it."""
    question = {"role": "user", "content": _QUESTION}
    turns: list[Message] = [
        {"role": "assistant", "content": _ANSWER, field: _THOUGHT, **call}
        for field in _FIELDS
        for call in ({}, _CALL)
    ]
    thought = {"type": "thinking", "thinking": _THOUGHT}
    parts = [thought, {"type": "text", "text": _ANSWER}]
    turns.append({"role": "assistant", "content": parts})
    for turn in turns:
        try:
            in_parts = isinstance(turn["content"], list)
            written = (render if in_parts else _any_form(render))([question, turn], False)
        except TemplateError:
            continue
        at = written.rfind(_THOUGHT)
        if at >= 0:
            begin = max(written.rfind(_QUESTION, 0, at) + len(_QUESTION), at - _NEAR, 0)
            end = written.find(_ANSWER, at)
            yield written[begin:at], written[at + len(_THOUGHT) : end] if end > at else ""


def _any_form(render: Render) -> Render:
    return lambda messages, prompt: _render_any(render, messages, prompt=prompt)


def _marks_between(before: str, after: str) -> Marks | None:
    """Return the known pair around a thought, or the marks next to it, unless they are a turn's."""
    for pair in NAMED.values():
        if pair.open and pair.open in before and pair.close in after:
            return pair
    opened, closed = _MARK.findall(before), _MARK.findall(after)
    if not opened or not closed:
        return None
    found = Marks(opened[-1], closed[0])
    turns = _TURN.search(found.open) or _TURN.search(found.close)
    return None if turns or found.open == found.close else found
