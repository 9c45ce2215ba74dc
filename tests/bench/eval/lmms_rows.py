"""The task that lmms-eval is given: our prompts, its own way to show a video."""

from __future__ import annotations

from typing import Any


def video(doc: dict[str, Any]) -> list[str]:
    """Return the video of a row."""
    return [doc["video"]]


def prompt(doc: dict[str, Any]) -> str:
    """Return the text of a row."""
    text: str = doc["prompt"]
    return text


def messages(doc: dict[str, Any]) -> list[dict[str, Any]]:
    """Write the user turn: the video, then the text."""
    content = [{"type": "video", "url": doc["video"]}, {"type": "text", "text": doc["prompt"]}]
    return [{"role": "user", "content": content}]


def answered(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    """Count what has a text."""
    return {"answered": float(bool(results[0]))}
