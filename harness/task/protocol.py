"""Defines a protocol: all settings that can change a score, with a hash.

Two runs of a task are comparable only if their protocols are equal; `harness.files.diff` lists the
fields in which they differ.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json

from harness.schema import FramePolicy, Sampling


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """The settings with which one task is asked and scored."""

    suite: str
    """``video-r1`` or ``official``; ``stored`` for texts generated elsewhere."""
    task: str
    """``name@version``; the version changes with prompts or the handling of items."""
    template: str
    """Name of the prompt template that the task uses."""
    frames: FramePolicy | None
    """None if the texts were generated elsewhere and only scored here."""
    sampling: Sampling | None
    scorer: str
    """``name@version``."""

    def canonical(self) -> str:
        """Return the JSON text that is hashed: sorted keys, no spaces."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, separators=(",", ":"))

    @property
    def hash(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of `canonical()`."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()[:12]
