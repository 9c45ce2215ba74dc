"""Exit codes, and the sentence that a command ends with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Exit(IntEnum):
    """Process exit codes; scripts and CI rely on them."""

    OK = 0
    """Done; a gate passed."""
    REGRESSION = 1
    """A run is worse than its baseline; nothing else ends with 1."""
    USAGE = 2
    """A command, flag or file that the user gave is wrong."""
    INCONCLUSIVE = 3
    """A gate has too few items to tell."""
    INCOMPLETE = 4
    """Items are missing or failed, an engine did not start, a disk is full."""
    FAULT = 70
    """An unexpected exception; the last line names the file that holds its traceback."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C or SIGTERM; what was finished is kept."""

    @property
    def label(self) -> str:
        """The word shown beside the number."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a command ended: its exit code and the reason."""

    code: Exit
    reason: str
    holds: bool = False
    """Whether the code stands even where the output could not be written: it is a verdict."""

    def __str__(self) -> str:
        return f"exit {int(self.code)} ({self.code.label}): {self.reason}"
