"""Holds the results of a probe, and reads and writes them as ``probe.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import DatasetError, UsageError
from harness.files import read_file, reader_of, write_json
from harness.schema import Variant

PROBE = "probe.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeFigure:
    """A mean over questions, in points (0-100), with its error clustered by video."""

    value: float
    se: float | None
    """None below two videos."""
    ci95: tuple[float, float] | None
    n: int
    """Questions that it is a mean of."""
    n_clusters: int
    """Videos that they are about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskMeasure:
    """One measure of one task."""

    total: ProbeFigure | None
    """None where no question could be compared."""
    left_out: Mapping[str, int]
    """Number of questions that were asked in both variants and are not compared, by reason."""
    categories: Mapping[str, ProbeFigure]
    """By category prefix, as in ``summary.json``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindGap:
    """A set of questions with and without frames; each question counts once."""

    seen: ProbeFigure
    """Score with the frames in order."""
    blind: ProbeFigure
    """Score without frames."""
    gap: ProbeFigure
    """The first minus the second, paired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantScore:
    """The score of one task in one variant, as in the ``summary.json`` of its run."""

    score: float | None
    se: float | None
    ci95: tuple[float, float] | None
    n: int
    n_scored: int
    n_clusters: int
    outcomes: Mapping[str, int]
    missing: int
    protocol_hash: str
    breakdown: Mapping[str, Mapping[str, float | int | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeVariant:
    """One variant."""

    run: str
    """Its run directory, within the probe's folder."""
    tasks: Mapping[str, VariantScore]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSummary:
    """The content of ``probe.json``."""

    schema: int
    model: str
    checkpoint: Mapping[str, Any]
    """As in ``run.json``."""
    created: str
    """When it was written, UTC."""
    variants: Mapping[str, ProbeVariant]
    """By name; ``ordered`` is always there."""
    measures: Mapping[str, Mapping[str, TaskMeasure]]
    """By measure (`harness.probe.measures.MEASURES`) and task."""
    blind_gaps: Mapping[str, Mapping[str, BlindGap]] = field(default_factory=dict)
    """By task and set (`full` and its parts), where a publisher wants parts beside the full set."""
    missing_gaps: Mapping[str, str] = field(default_factory=dict)
    """By task, what it takes to have all of them."""
    left_out: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By variant and task: which questions are not asked in it, and why."""
    engine_starts: int = 0
    """Engines that the invocation which did the work has started; 0 for servers."""
    timing: Mapping[str, Any] | None = None
    """Where its time went, all variants together, as in ``summary.json``."""
    replicas: tuple[Mapping[str, Any], ...] = ()
    """What each of its replicas did, as in ``summary.json``; empty where one engine answered."""

    @property
    def tasks(self) -> list[str]:
        """Names of the benchmarks."""
        return list(self.variants[Variant.ORDERED].tasks)

    def measure(self, name: str, task: str) -> ProbeFigure | None:
        """Return a task's figure of a measure, None where it was not or could not be computed."""
        found = self.measures.get(name, {}).get(task)
        return None if found is None else found.total


def is_probe(folder: Path) -> bool:
    """Return whether a folder is one of a probe that has come to its end."""
    return (folder / PROBE).is_file()


def write_probe(folder: Path, summary: ProbeSummary) -> None:
    """Write ``probe.json``; readers see the whole file or none."""
    write_json(folder / PROBE, asdict(summary))


def read_probe(folder: Path) -> ProbeSummary:
    """Return the results in a probe's folder.

    Raises:
        UsageError: The folder has no ``probe.json``, or it is of another version.
        DatasetError: A field is missing or of another type; names file, field, expected and found.
    """
    path = folder / PROBE
    if not is_probe(folder):
        raise UsageError(
            f"{folder}: not a finished probe (no {PROBE}); expected a folder that `videor1 probe`"
            " wrote, the same command finishes an interrupted one"
        )
    found = reader_of(ProbeSummary, extra=True)(read_file(path), str(path))
    if found.schema != SCHEMA_VERSION:
        raise UsageError(
            f"{path}: field 'schema': expected {SCHEMA_VERSION}, got {found.schema}; run the same"
            " `videor1 probe` again to write it anew"
        )
    if Variant.ORDERED not in found.variants:
        raise DatasetError(
            f"{path}: field 'variants': expected ordered, got {list(found.variants)}"
        )
    return found
