"""Exit codes that tell the truth, and the sentence printed with them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Exit(IntEnum):
    """Process exit codes; scripts and CI rely on them."""

    OK = 0
    REGRESSION = 1
    USAGE = 2
    INCONCLUSIVE = 3
    INCOMPLETE = 4
    INTERRUPTED = 130

    @property
    def label(self) -> str:
        """The word shown beside the number."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command came to: its exit code and why."""

    code: Exit
    reason: str

    def __str__(self) -> str:
        return f"exit {int(self.code)} ({self.code.label}): {self.reason}"
