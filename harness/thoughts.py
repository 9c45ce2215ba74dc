"""Defines what is known of a model's thoughts: their marks, where prompts and thoughts end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PromptEnd(StrEnum):
    """The state in which the end of a rendered prompt leaves the reply."""

    OPEN = "open"
    """Inside a thought: the template has written its opening mark."""
    CLOSED = "closed"
    """Behind a thought that the template has opened and closed."""
    FREE = "free"
    """Neither: the model decides whether it thinks."""


@dataclass(frozen=True, slots=True)
class Marks:
    """The texts that begin and end a thought."""

    open: str
    """Empty: the thought begins with the reply, as in Apriel's."""
    close: str


class ThoughtEnd(StrEnum):
    """How the thought of a reply ended."""

    CLOSED = "closed"
    """The model closed it, or an engine's budget did."""
    NEVER = "never closed"
    """The reply ends inside the thought, so it has no answer."""
    KEPT = "kept by the server"
    """The model stopped by itself, and the server sent the whole reply as reasoning: the model
    closed no thought, or the server's reasoning parser does not fit the checkpoint."""
