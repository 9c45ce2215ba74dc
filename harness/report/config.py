"""Settings of a report."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from harness.bounds import between
from harness.run.config import available_processors

_TITLE = {"title": "frames"}
"""Heading of the options in the help text."""


class FrameChoice(StrEnum):
    """Which videos are shown with their frames."""

    NONE = "none"
    WRONG = "wrong"
    """Videos with an item that some run does not answer correctly."""
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportConfig:
    """What a report holds besides texts and scores, and how its frames are made."""

    frames: FrameChoice = field(default=FrameChoice.ALL, metadata=_TITLE)
    """Which videos are shown with the frames that the model saw."""
    frames_budget: int = field(default=200, metadata={**_TITLE, "metavar": "MB"})
    """Megabytes that the pictures of all videos may take; those with wrong answers come first."""
    data: Path | None = field(default=None, metadata={**_TITLE, "metavar": "DIR"})
    """Folder with one folder per benchmark, if it is no longer where the run found it."""
    workers: int = field(default_factory=available_processors, metadata={**_TITLE, "metavar": "N"})
    """Decode processes."""
    decode_timeout: float = field(default=120.0, metadata={**_TITLE, "metavar": "S"})
    """Seconds that one file may take."""

    def __post_init__(self) -> None:
        between(self, "frames_budget", 0, 1 << 20, "MB, 1 TB at most")
        between(self, "workers", 1, 1024, "each is a process")
        between(self, "decode_timeout", 0.01, 86400, "seconds, one day at most")
