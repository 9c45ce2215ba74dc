"""Finds the runs among the folders that a user names, and says why others are left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.probe.summary import is_probe
from harness.run.overview import find_runs, kind_of_other
from harness.run.store import is_run
from harness.schema import Variant


@dataclass(frozen=True, slots=True)
class NamedRuns:
    """The run directories that were named, and notes on what else was."""

    folders: tuple[Path, ...]
    notes: tuple[str, ...]


def named_runs(paths: Iterable[Path], *, probes: bool = False) -> NamedRuns:
    """Return the runs that paths name: run directories, and those right in other folders.

    Folders of other commands, and files, are left out with a note: ``results/runs/*`` names them as
    well.

    Args:
        paths: What was named.
        probes: Take the ordered variant of a probe's folder for a run.

    Raises:
        UsageError: A path does not exist, or there is no run at all.
    """
    folders: list[Path] = []
    notes: list[str] = []
    for path in paths:
        if is_run(path):
            folders.append(path)
        elif probes and is_probe(path):
            folders.append(path / Variant.ORDERED)
        elif not path.exists():
            raise UsageError(
                f"{path}: no such run directory; expected a folder that `videor1 eval` wrote"
            )
        else:
            kind = kind_of_other(path)
            inside = [] if kind is not None else list(_inside(path, notes, probes))
            folders += inside
            if not inside:
                notes.append(f"{path} is left out: {_describe(path, kind)}")
    if not folders:
        raise UsageError(f"no run directory among what was named: {'; '.join(notes)}")
    return NamedRuns(tuple(folders), tuple(notes))


def _inside(path: Path, notes: list[str], probes: bool) -> Iterator[Path]:
    """Yield the runs that lie right in a folder, with `probes` probes, too; the rest is noted."""
    if not path.is_dir():
        return
    found = find_runs(path)
    yield from (folder for folder in found.runs if folder.parent == path)
    for folder, kind in found.others.items():
        if probes and is_probe(folder):
            yield folder / Variant.ORDERED
        else:
            notes.append(f"{folder} is left out: it is {kind}")


def _describe(path: Path, kind: str | None) -> str:
    if kind is not None:
        return f"it is {kind}"
    return "it holds no run" if path.is_dir() else "it is a file"
