"""Cuts texts at the protocol's stop texts, the same way for every engine."""

from __future__ import annotations

from collections.abc import Sequence


def cut_at_stop(text: str, stops: Sequence[str]) -> str:
    """Return a text up to the first of the stops in it."""
    return text[: min((at for stop in stops if (at := text.find(stop)) >= 0), default=len(text))]
