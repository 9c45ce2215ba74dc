"""Finds the runs in a folder and says in a few figures what each of them is."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, UsageError
from harness.files import is_locked
from harness.run.result import Run
from harness.run.store import MANIFEST, RECORDS, is_table_current, read_records
from harness.run.stored_results import in_order, read_results
from harness.schema import Outcome, TaskSummary
from harness.task.protocol import repeats_of

OTHERS: Mapping[str, str] = {
    "train.json": "a training (videor1 train show)",
    "watch.json": "a watch of a training",
    "miniature.json": "a miniature experiment",
    "probe.json": "a probe (videor1 board --probes)",
}
"""Folders of other commands by the file that says what they are."""
_DEPTH = 4
"""Levels below the given folder in which runs are looked for: a probe of a watch has three."""


class State(StrEnum):
    """How far a run is."""

    RUNNING = "running"
    """A process writes it now."""
    FINISHED = "finished"
    """Every question has a record; a few may have failed."""
    INCOMPLETE = "incomplete"
    """Questions are open; its command goes on with them."""
    FAILED = "failed"
    """No question has an answer, or its files cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOverview:
    """One run in a list."""

    folder: Path
    state: State
    changed: float
    """When its records were last written, in seconds since 1970."""
    model: str = "-"
    protocol: str = "-"
    """Suite, variant and largest number of frames, such as ``video-r1, 16 frames``."""
    protocol_hash: str = "-"
    created: str | None = None
    tasks: Mapping[str, TaskSummary] = field(default_factory=dict)
    """Summaries by task, of the records so far."""
    answered: int = 0
    asked: int = 0
    """Answers that the run asks for: questions times repeats."""
    failed: int = 0
    problem: str | None = None
    """Why its files cannot be read."""


@dataclass(frozen=True, slots=True)
class FoundFolders:
    """The folders below a folder: runs, and those of other commands."""

    runs: tuple[Path, ...]
    others: Mapping[Path, str]
    """What each is, such as ``a training``."""


def find_runs(root: Path) -> FoundFolders:
    """Return the run directories in and below a folder, in the order of their names.

    Raises:
        UsageError: There is no such folder, or it cannot be read.
    """
    if not root.is_dir():
        raise UsageError(f"{root}: no such folder; name a folder that holds run directories")
    runs: list[Path] = []
    others: dict[Path, str] = {}
    for folder in _walk(root, _DEPTH):
        if (folder / MANIFEST).exists():
            runs.append(folder)
        else:
            kind = kind_of_other(folder)
            if kind is not None:
                others[folder] = kind
    return FoundFolders(tuple(runs), others)


def kind_of_other(folder: Path) -> str | None:
    """Return what a folder of another command is; None where it is none."""
    return next((kind for name, kind in OTHERS.items() if (folder / name).exists()), None)


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    """Yield a folder and those below it, without those inside of a run."""
    yield folder
    if depth == 0 or (folder / MANIFEST).exists():
        return
    try:
        with os.scandir(folder) as entries:
            names = sorted(one.name for one in entries if one.is_dir())
    except OSError as error:
        raise UsageError(f"{folder}: cannot be read: {error.strerror or error}") from None
    for name in names:
        yield from _walk(folder / name, depth - 1)


def overview(folder: Path) -> RunOverview:
    """Return the figures of one run directory; files that cannot be read are named in it."""
    changed = max(
        (path.stat().st_mtime for path in (folder / MANIFEST, folder / RECORDS) if path.exists()),
        default=0.0,
    )
    try:
        return _read(folder, changed)
    except HarnessError as error:
        return RunOverview(folder=folder, state=State.FAILED, changed=changed, problem=str(error))


def _read(folder: Path, changed: float) -> RunOverview:
    run = Run(folder)
    manifest = run.manifest
    asked = _count_asked(manifest)
    if run.scores and is_table_current(folder):
        scores: Mapping[str, TaskSummary] = in_order(run.scores, manifest)
    else:
        scores = read_results(folder, read_records(folder))[0].tasks
    counts: Counter[str] = Counter()
    for one in scores.values():
        counts.update(one.outcomes)
    failed = counts[Outcome.FAILED]
    recorded = counts.total()
    return RunOverview(
        folder=folder,
        state=_state(folder, asked, recorded, failed),
        changed=changed,
        model=str(manifest.get("model", "-")),
        protocol=describe_protocols(manifest),
        protocol_hash=str(manifest.get("protocol_hash", "-")),
        created=manifest.get("created"),
        tasks=scores,
        answered=recorded - failed,
        asked=asked,
        failed=failed,
    )


def _state(folder: Path, asked: int, recorded: int, failed: int) -> State:
    if is_locked(folder):
        return State.RUNNING
    if failed and failed == recorded:
        return State.FAILED
    return State.FINISHED if recorded >= asked else State.INCOMPLETE


def _count_asked(manifest: Mapping[str, Any]) -> int:
    repeats = repeats_of(manifest["protocol"])
    return sum(about["items"] * repeats[task] for task, about in manifest["data"].items())


def describe_protocols(manifest: Mapping[str, Any]) -> str:
    """Return suites, variants and frames of a run's protocols in a few words."""
    suites: dict[str, None] = {}
    orders: dict[str, None] = {}
    frames: dict[str, None] = {}
    for protocol in manifest["protocol"].values():
        suites[str(protocol.get("suite", "-"))] = None
        shown = protocol.get("frames") or {}
        if protocol.get("option_rotation"):
            orders["options moved"] = None
        if shown.get("order", "ordered") != "ordered":
            orders[str(shown["order"])] = None
        if "max_frames" in shown:
            frames[str(shown["max_frames"])] = None
    parts = ["/".join(suites), *orders]
    return ", ".join([*parts, *([f"{'/'.join(frames)} frames"] if frames else [])])
