"""Finds trackers by name and starts them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType

from harness.errors import UsageError
from harness.plugins import require
from harness.trackers.api import StartTracker, TrackedRun
from harness.trackers.guard import GuardedTrackers, describe_error, quiet

EXTRA = "track"


@dataclass(frozen=True, slots=True)
class TrackerModule:
    """Where a tracker's code is, and which package it needs."""

    module: str
    """Our module, which has a function `start`."""
    package: str
    """The package's module and name."""


TRACKERS: Mapping[str, TrackerModule] = MappingProxyType(
    {
        "wandb": TrackerModule("harness.trackers.wandb", "wandb"),
        "trackio": TrackerModule("harness.trackers.trackio", "trackio"),
        "tensorboard": TrackerModule("harness.trackers.tensorboard", "tensorboardX"),
    }
)


def check_names(names: Sequence[str]) -> None:
    """Raise `ValueError` for a name that is no tracker's, or that is there twice."""
    unknown = [name for name in names if name not in TRACKERS]
    if unknown:
        raise ValueError(f"report_to: expected {', '.join(TRACKERS)}, got {unknown[0]!r:.40}")
    if len(set(names)) < len(names):
        raise ValueError(f"report_to: expected every name once, got {', '.join(names)}")


def require_trackers(names: Sequence[str]) -> None:
    """Import the packages of some trackers, to learn before any work whether they are there.

    Raises:
        UsageError: A package is not installed or cannot be imported; names what installs it.
    """
    for name in names:
        with quiet():
            require(TRACKERS[name].package, EXTRA)


def start_trackers(names: Sequence[str], run: TrackedRun) -> GuardedTrackers:
    """Start some trackers for a run.

    Raises:
        UsageError: One of them cannot start; names it and its reason. The others are closed.
    """
    started = GuardedTrackers()
    for name in names:
        start: StartTracker = import_module(TRACKERS[name].module).start
        try:
            with quiet():
                started.add(name, start(run))
        except UsageError:
            started.close(failed=True)
            raise
        except Exception as error:
            started.close(failed=True)
            raise UsageError(
                f"--report-to {name} cannot start: {describe_error(error)}; mend it, or leave"
                f" {name} out"
            ) from error
    return started
