"""What a benchmark has to provide, and how benchmarks are found.

A benchmark is an object with the attributes of `Task`, named in the entry-point group
``videor1.tasks``. Ours and a third party's are found the same way. A `Bridge` brings the tasks of
another harness, all of them under ``PREFIX:NAME``; it is named in the group ``videor1.bridges``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol as TypingProtocol

from harness.data.fetch import Source
from harness.errors import DatasetError
from harness.schema import Prompt, Record, Sample, Score
from harness.task.protocol import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregation:
    """How item values become one score: an unweighted mean at each level of a tree.

    `levels` maps a record's category to its path in the tree; ``()`` is the plain (micro) mean
    over items, ``(type,)`` the macro mean over types, ``(group, type)`` a macro of macros.
    """

    name: str
    levels: Callable[[str], tuple[str, ...]]


def _nothing() -> None:
    """Need nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """A named, versioned scoring rule with the aggregation that belongs to it."""

    name: str
    version: int
    score: Callable[[Sample, str], Score]
    aggregation: Aggregation
    require: Callable[[], None] = _nothing
    """Raises `UsageError` where an optional package that the rule needs is not installed."""
    total: Callable[[Sequence[Record]], float | None] | None = None
    """Computes the score (0 to 1) from all records where the publisher's is no mean of items."""

    @property
    def tag(self) -> str:
        """``name@version``, as stored in records and protocols."""
        return f"{self.name}@{self.version}"


def _at_hand(samples: Sequence[Sample]) -> None:
    """Need no preparation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """A loaded benchmark: its samples in publication order and the files they came from."""

    samples: tuple[Sample, ...]
    files: tuple[Path, ...]
    """Question files that were read; their content is the run's data fingerprint."""
    prepare: Callable[[Sequence[Sample]], None] = _at_hand
    """Called with the samples that a run will ask, before media are looked for: writes those that
    are no files yet; raises `UnavailableTaskError` where the task cannot be asked here."""

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for sample in self.samples:
            if sample.id in seen:
                raise DatasetError(
                    f"two questions have the id {sample.id!r}; files read:"
                    f" {', '.join(str(path) for path in self.files)}"
                )
            seen.add(sample.id)


class Task(TypingProtocol):
    """One benchmark."""

    name: str
    version: int
    title: str
    """Display name."""
    homepage: str
    """Where the data is published."""

    @property
    def source(self) -> Source | None:
        """What ``videor1 data fetch`` brings; None where that is up to the user."""

    @property
    def scorers(self) -> Mapping[str, Scorer]:
        """Scorers by name; at least ``official``, ``official+answer`` and ``video-r1``."""

    def load(self, data: Path) -> Questions:
        """Read every question under `data`, the benchmark's own folder.

        Media paths are built but not touched. Raises `DatasetError` naming file and row.
        """

    def protocol(self, suite: str) -> Protocol:
        """Return the preset ``video-r1`` or ``official``; raises `UsageError` otherwise."""

    def prompt(self, sample: Sample, template: str) -> Prompt:
        """Build the question text of the named template."""

    def with_llm_judge(self, base_url: str, model: str) -> Scorer | None:
        """Return the official rules helped by a judge model, None where rules suffice."""

    def extra(self, run: Mapping[str, Sequence[Record]]) -> dict[str, float]:
        """Benchmark-specific figures from the records of a run, keyed by task name."""


class Bridge(TypingProtocol):
    """The tasks of another harness."""

    title: str
    """What can be named after the prefix."""
    aggregation: Aggregation
    """How item values of any of its tasks are averaged."""

    def task(self, name: str, include_path: Path | None) -> Task:
        """Return a task by the other harness's name; `include_path` adds a folder of tasks.

        Raises `UsageError` where the other harness is not installed.
        """

    def scorer(self, task: str, aggregation: Aggregation) -> Scorer | None:
        """Return the other harness's scoring of one of our tasks, None where it has none.

        `aggregation` is the official one of the task: the scorer rates items, not the whole.
        """
