"""Finds the run directories of a report and gives each a short label of its own."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.probe.config import VARIANTS
from harness.probe.summary import ProbeSummary, is_probe, read_probe
from harness.run.manifest_shape import require_setting
from harness.run.store import MANIFEST, is_run, read_manifest
from harness.schema import Variant

_STEP = re.compile(r"step-(\d{1,12})")
"""Name of a run directory that ``videor1 watch`` wrote: the step of its checkpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSource:
    """One run directory."""

    folder: Path
    manifest: Mapping[str, Any]
    label: str = ""
    """Tells the run from the others of the report."""
    step: int | None = None
    """Training step of the checkpoint, in a folder of ``videor1 watch``."""

    @property
    def watch(self) -> Path:
        """The folder of the watch that a run with a step belongs to."""
        place = self.folder.resolve()
        return place.parents[1 if place.name == Variant.ORDERED else 0]

    @property
    def variant(self) -> str:
        """The order of the frames; several joined by ``+`` where tasks differ."""
        frames = [protocol.get("frames") for protocol in self.manifest["protocol"].values()]
        orders = {one["order"] for one in frames if one}
        return "+".join(sorted(orders)) or Variant.ORDERED.value


def find_runs(folders: Iterable[Path]) -> list[RunSource]:
    """Return the runs of a report, in the order named; a folder of runs stands for those in it.

    Raises:
        UsageError: A folder is no run and holds none, or a run is named twice.
        DatasetError: A manifest cannot be read.
    """
    sources: dict[str, RunSource] = {}
    for folder in folders:
        for run in _expand(folder):
            place = os.path.realpath(run)
            if place in sources:
                raise UsageError(f"{run}: this run is named twice; name every run once")
            sources[place] = _read_source(run)
    found = list(sources.values())
    return [
        RunSource(folder=run.folder, manifest=run.manifest, label=label, step=run.step)
        for run, label in zip(found, _make_labels(found), strict=True)
    ]


def find_probes(folders: Iterable[Path]) -> list[ProbeSummary]:
    """Return the results of the folders that are finished probes."""
    return [read_probe(folder) for folder in folders if not is_run(folder) and is_probe(folder)]


def _expand(folder: Path) -> list[Path]:
    if is_run(folder):
        return [folder]
    if is_probe(folder):
        variants = read_probe(folder).variants
        return [folder / variants[name].run for name in VARIANTS if name in variants]
    inside = [path.parent for path in folder.glob(f"*/{MANIFEST}")]
    if inside:  # what a probe measures against comes first
        return sorted(inside, key=lambda run: (run.name != Variant.ORDERED, run))
    probes = sorted(path for path in folder.glob("*") if is_probe(path))
    if probes:  # a watch that probes every checkpoint
        return [path / Variant.ORDERED for path in probes]
    what = f"no {MANIFEST} in it or in its folders" if folder.is_dir() else "it is no folder"
    raise UsageError(
        f"{folder}: neither a run directory nor a folder of runs ({what}); expected what"
        " `videor1 eval`, `probe` or `watch` wrote"
    )


def _read_source(folder: Path) -> RunSource:
    manifest = read_manifest(folder)
    require_setting(manifest, str(folder / MANIFEST))
    place = folder.resolve()
    in_probe = place.name == Variant.ORDERED and is_probe(place.parent)
    match = _STEP.fullmatch(place.parent.name if in_probe else place.name)
    return RunSource(folder=folder, manifest=manifest, step=int(match[1]) if match else None)


def _make_labels(runs: Sequence[RunSource]) -> list[str]:
    """Return the shortest kind of label that tells all runs apart."""
    for make_label in _labellings(runs):
        labels = [make_label(run) for run in runs]
        if len(set(labels)) == len(labels):
            return labels
    return [f"{run.folder.resolve().name} [{number}]" for number, run in enumerate(runs, 1)]


def _labellings(runs: Sequence[RunSource]) -> Iterator[Callable[[RunSource], str]]:
    one_model = len({run.manifest["model"] for run in runs}) == 1
    if all(run.step is not None for run in runs) and len({run.watch for run in runs}) == 1:
        yield lambda run: f"step {run.step}"
    if one_model and len(runs) > 1:
        yield lambda run: run.variant
    yield lambda run: str(run.manifest["model"])
    yield lambda run: f"{run.manifest['model']} ({run.variant})"
    yield lambda run: run.folder.resolve().name
    yield lambda run: "/".join(run.folder.resolve().parts[-2:])
