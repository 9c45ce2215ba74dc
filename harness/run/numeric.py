"""Reads from a ``run.json`` the engine settings that can change an answer."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from harness.backends.engine_config import DEFAULT_FRAME_GRID

NUMERIC = "numeric"
"""Field of the settings; runs of schema 1 lack it."""


def numeric_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the engine settings that can change an answer; empty where all are the defaults.

    Of a run of schema 1 they are read from its command line: it knew two, those of servers.
    """
    if NUMERIC in manifest:
        return dict(manifest[NUMERIC] or {})
    return _read_command(str(manifest.get("argv") or ""))


def _read_command(argv: str) -> dict[str, Any]:
    try:
        words = shlex.split(argv)
    except ValueError:
        return {}
    found: dict[str, Any] = {"video_as_images": True} if "--video-as-images" in words else {}
    flags = (word.partition("=") for word in words)
    for (flag, _, value), after in zip(flags, [*words[1:], ""], strict=False):
        number = value or after
        if flag == "--frame-grid" and number.isdecimal() and int(number) != DEFAULT_FRAME_GRID:
            found["frame_grid"] = int(number)
    return found
