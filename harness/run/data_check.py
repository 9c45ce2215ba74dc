"""Checks that the data of benchmarks is complete: questions, media, and on demand every frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.run.media_check import Gap, find_gaps
from harness.run.selections import select
from harness.schema import Sample
from harness.task import registry

Decode = Callable[[str, Sequence[Sample]], list[Gap]]
"""Decodes all media of a selection's samples and returns what is damaged or differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataCheck:
    """The result for one task, or for one of its configs."""

    selection: str
    samples: Sequence[Sample]
    gaps: Sequence[Gap]

    @property
    def n_media(self) -> int:
        """Number of distinct files and frame folders that the questions need."""
        return len({media.path for sample in self.samples for media in sample.media})

    @property
    def unusable(self) -> list[Gap]:
        """The gaps that keep questions from being asked."""
        return [gap for gap in self.gaps if not gap.usable]

    @property
    def n_unusable(self) -> int:
        """Number of media that are missing or damaged."""
        return sum(len(gap.media) for gap in self.unusable)

    @property
    def n_affected(self) -> int:
        """Number of questions that need missing or damaged media."""
        return sum(gap.items for gap in self.unusable)


def check_data(selection: str, data: Path, decode: Decode | None = None) -> DataCheck:
    """Read every question of ``name`` or ``name:config`` and look for its media.

    Raises:
        UsageError: The task is unknown, or its folder is missing or malformed.
    """
    task = registry.find(selection)
    folder = registry.data_folder(task, data)
    if not folder.is_dir() and registry.needs_data_root(task):
        raise UsageError(
            f"{folder}: no such folder; `videor1 data fetch {task.name}` downloads it, --data names"
            " the folder that holds it"
        )
    samples = select(task, data, selection)[0].samples
    gaps = find_gaps(task, samples)
    if decode is not None:
        gaps += decode(selection, samples)
    return DataCheck(selection=selection, samples=samples, gaps=gaps)


def tasks_with_data(data: Path) -> list[str]:
    """Return the installed tasks that have a folder in `data`; raise `UsageError` without any."""
    found = [
        name
        for name in sorted(registry.installed())
        if registry.data_folder(registry.get(name), data).is_dir()
    ]
    if not found:
        raise UsageError(
            f"{data}: no benchmark has a folder here; --data names the folder that holds them,"
            " `videor1 data fetch TASK` downloads one"
        )
    return found


def without_unfetched(
    checks: Sequence[DataCheck], data: Path
) -> tuple[list[DataCheck], list[DataCheck]]:
    """Part checks of all tasks into those that count and those of tasks that nobody downloaded.

    A task that shares its folder with another one and has none of its own media there was not
    downloaded: its question files are the other's.
    """
    folders = Counter(_folder_of(check, data) for check in checks)
    lacking = [
        check
        for check in checks
        if folders[_folder_of(check, data)] > 1 and 0 < check.n_media == check.n_unusable
    ]
    kept = [check for check in checks if check not in lacking]
    shared = {_folder_of(check, data) for check in kept}
    unfetched = [check for check in lacking if _folder_of(check, data) in shared]
    return [check for check in checks if check not in unfetched], unfetched


def _folder_of(check: DataCheck, data: Path) -> Path:
    return registry.data_folder(registry.find(check.selection), data)
