"""What a number means: every choice that can move a score, with a hash and a readable diff.

Two runs of a task are comparable only when their protocols are equal; `diff` says in which
fields they are not.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json

from harness.schema import FramePolicy, Sampling


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How one task is asked and scored."""

    suite: str
    """``video-r1`` or ``official``; ``stored`` for texts generated elsewhere."""
    task: str
    """``name@version``; the version moves with every change of prompts or item handling."""
    template: str
    """Name of the prompt template the task builds its questions with."""
    frames: FramePolicy | None
    """None: the texts were generated elsewhere and only scored here."""
    sampling: Sampling | None
    scorer: str
    """``name@version``."""

    def canonical(self) -> str:
        """Return the one JSON form that is hashed: sorted keys, no spaces."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, separators=(",", ":"))

    @property
    def hash(self) -> str:
        """First 12 hex digits of the SHA-256 of the canonical form."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()[:12]
