"""Defines the errors that this project raises on purpose.

    HarnessError                  also raised itself: the disk is full  -> exit 4
    ├── UsageError            a command, flag or file the user gave is wrong   -> exit 2
    │   ├── DatasetError          a benchmark folder or one of its rows
    │   │   ├── SeveralFaultsError    each kind of fault in a file, with its line
    │   │   └── UnavailableTaskError  one task cannot be asked here; others of the run can
    │   ├── CheckpointError       a model folder, adapter or hub id
    │   └── RunMismatchError      a run directory that holds another run
    ├── MediaError            one video or image cannot be read     -> a FAILED item
    ├── IncompleteRunError    a run lacks items that are needed      -> exit 4
    ├── TooManyFailuresError  a run ends before its items do         -> exit 4
    └── BackendError          the engine cannot start               -> exit 4
                              or fails on one request               -> a FAILED item

A message says what, which id or path, what was got and expected, and what to do. ``MediaError``
and request-level ``BackendError`` become a ``Failure`` at the boundary in ``harness.run.runner``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class HarnessError(Exception):
    """Base of every error this project raises on purpose."""


class UsageError(HarnessError):
    """What the user asked for cannot be done as asked; the message says what to change."""


class DatasetError(UsageError):
    """A benchmark folder, file or row is missing or malformed."""


class SeveralFaultsError(DatasetError):
    """A file has faults of several kinds; each is a sentence that names its line."""

    def __init__(self, place: str, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.place = place
        self.faults = tuple(faults)

    @property
    def summary(self) -> str:
        """One line: the fault, or how many there are."""
        if len(self.faults) == 1:
            return self.faults[0]
        return f"{self.place}: {len(self.faults)} kinds of faults; the lines above have one each"


class UnavailableTaskError(DatasetError):
    """A task lacks data or a judge over the network; the run continues without it."""


class CheckpointError(UsageError):
    """A checkpoint cannot be resolved or lacks a part the engines need."""


class RunMismatchError(UsageError):
    """A run directory belongs to another protocol, checkpoint or data set."""


class MediaError(HarnessError):
    """One video or image cannot be read as the frame policy asks; most often it is damaged."""


class UnusableMediaError(MediaError):
    """One medium is sound, but cannot be shown: it holds no video, or not the part asked for."""


class InaccessibleMediaError(MediaError):
    """One medium cannot be opened or read from its disk."""


class IncompleteRunError(HarnessError):
    """A run has items without a record or without an answer, where all are needed."""


class TooManyFailuresError(HarnessError):
    """A run is ended because every item fails alike, or more items than it may have."""


class BackendError(HarnessError):
    """An engine cannot start, or cannot answer one request."""


def did_you_mean(name: str, known: Iterable[str], *, shown: str = "{}") -> str:
    """Return ``; did you mean NAME?`` with the known name that is nearest, empty without one.

    Args:
        name: What was given.
        known: What there is.
        shown: How a name is written.
    """
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean {shown.format(near[0])}?" if near else ""


def missing_extra(package: str, extra: str | None) -> UsageError:
    """Build the error for an optional package that is not installed; not all belong to an extra."""
    wanted = package if extra is None else f"'videor1[{extra}]'"
    return UsageError(f"{package} is not installed; install it with: pip install {wanted}")
