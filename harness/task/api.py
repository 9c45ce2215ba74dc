"""Defines the interface of a benchmark (`Task`) and its parts: questions, scorers, aggregations.

A benchmark is a class whose objects have the attributes of `Task`; most derive it from
`tasks.Benchmark`, which has defaults for most of them. Packages declare it as an entry point in the
group ``videor1.tasks``, ours as well as a third party's. A `Bridge` offers the tasks of another
harness under ``PREFIX:NAME``; it is declared in the group ``videor1.bridges``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol as TypingProtocol
from typing import runtime_checkable

from harness.data.fetch import Source
from harness.errors import DatasetError
from harness.schema import Outcome, Prompt, Record, Sample, Score
from harness.task.protocol import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregation:
    """The way in which item values become one score: an unweighted mean at each level of a tree.

    `levels` maps a record's category to its path in the tree. The path ``()`` gives the plain
    (micro) mean over items, ``(type,)`` the macro mean over types, ``(group, type)`` the mean over
    groups of the means over their types.
    """

    name: str
    levels: Callable[[str], tuple[str, ...]]


def _require_nothing() -> None:
    """Do nothing: the rule needs no optional package."""


def _leave_out_nothing(sample: Sample) -> bool:
    """Return False: the rule scores every sample."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """A named, versioned scoring rule with its aggregation."""

    name: str
    version: int
    score: Callable[[Sample, str], Score]
    """Scores the text that a model wrote for a sample."""
    aggregation: Aggregation
    require: Callable[[], None] = _require_nothing
    """Raises `UsageError` if an optional package that the rule needs is not installed."""
    leaves_out: Callable[[Sample], bool] = _leave_out_nothing
    """Returns whether the rule leaves a sample out of the mean, whatever the model answers."""
    total: Callable[[Sequence[Record]], float | None] | None = None
    """Computes the score (0 to 1) from all records, where it is not a mean of items."""
    units: Callable[[Sequence[Record]], Mapping[str, float]] | None = None
    """Computes values (0 to 1) by cluster, such as those of groups of questions, where `total` is
    their mean; it then has an interval."""

    @property
    def tag(self) -> str:
        """``name@version``, as stored in records and protocols."""
        return f"{self.name}@{self.version}"

    def score_refusal(self, sample: Sample) -> Score:
        """Return 0 for a sample that the model declined to answer, in the mean like any other."""
        return Score(value=None if self.leaves_out(sample) else 0.0, outcome=Outcome.REFUSED)


def _prepare_nothing(samples: Sequence[Sample]) -> None:
    """Do nothing: all media are files already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """The questions of a benchmark, in the publisher's order, and the files they come from."""

    samples: tuple[Sample, ...]
    files: tuple[Path, ...]
    """The question files; a hash of their content is the run's data fingerprint."""
    subsets: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Ids of further selections ``NAME:SUBSET`` that are no categories, by their name."""
    beside: tuple[str, ...] = ()
    """Subsets whose scores with and without frames a probe shows beside those of all questions,
    because the publisher asks for it."""
    prepare: Callable[[Sequence[Sample]], None] = _prepare_nothing
    """Called with the samples of a run before its media are checked. Writes media that are not
    files yet; raises `UnavailableTaskError` if the task cannot be evaluated on this machine."""

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
    """A benchmark: its questions, prompts, protocols and scoring rules.

    The harness calls `load` once per run, `prompt` for every sample, and the chosen scorer for
    every answer. A new benchmark usually derives from `tasks.Benchmark` and writes `load`, a prompt
    and a scoring rule.
    """

    name: str
    """Name on the command line, and first part of every sample id."""
    version: int
    """Raise it with every change of prompts or items; it is part of the protocol's hash."""
    title: str
    """Display name."""
    homepage: str
    """Address of the page that publishes the data."""

    @property
    def source(self) -> Source | None:
        """What ``videor1 data fetch`` downloads; None if users have to get the data themselves."""

    @property
    def scorers(self) -> Mapping[str, Scorer]:
        """The scorers by name; at least ``official``, ``official+answer`` and ``video-r1``."""

    def load(self, data: Path) -> Questions:
        """Read all questions from `data`, the benchmark's own folder.

        Media paths are built, but media need not exist: the harness checks those that a run needs.

        Raises:
            DatasetError: A file or row is missing or malformed; names file and row.
        """

    def protocol(self, suite: str) -> Protocol:
        """Return the protocol preset ``video-r1`` or ``official``.

        It sets the prompt template, frames, sampling and scorer. Raises `UsageError` for another
        name.
        """

    def prompt(self, sample: Sample, template: str) -> Prompt:
        """Return the prompt of a sample; `template` is the one named by the protocol."""

    def with_llm_judge(self, base_url: str, model: str) -> Scorer | None:
        """Return the official scorer with a judge model; None if the task needs no judge."""

    def extra(self, run: Mapping[str, Sequence[Record]]) -> dict[str, float]:
        """Return further figures of the benchmark, by name, for the run's summary.

        Args:
            run: The records of a run by task name.
        """


@runtime_checkable
class TimedPrompts(TypingProtocol):
    """A task some of whose prompts have text that belongs to the frames shown: subtitles."""

    def prompt_at(self, sample: Sample, template: str, times: Sequence[Sequence[float]]) -> Prompt:
        """Return the prompt of a sample whose frames are known.

        Args:
            sample: The question.
            template: As in `Task.prompt`.
            times: Per clip, the seconds of its frames from the start of the clip, in time order.
        """


@runtime_checkable
class InterleavedPrompts(TypingProtocol):
    """A task some of whose prompts have text between the frames (`Prompt.between`)."""

    def interleaves(self, template: str) -> bool:
        """Return whether the prompts of a template do, so that every frame is an image."""


@runtime_checkable
class OwnFolder(TypingProtocol):
    """A task whose data lie beside its file, not under the data root."""

    @property
    def own_folder(self) -> Path:
        """The folder that `Task.load` is given."""


@runtime_checkable
class FromFile(TypingProtocol):
    """A task that a file defines or holds; a run keeps what it takes to read its results."""

    @property
    def own_file(self) -> Path:
        """The file that the user named."""


@runtime_checkable
class NamesLines(TypingProtocol):
    """A task that knows in which line of its file a medium is named."""

    def place_of(self, media: Path) -> str:
        """Return file and line of the first question about a medium; empty where none is known."""


class Bridge(TypingProtocol):
    """An adapter for the tasks of another evaluation harness."""

    title: str
    """Description of the names after the prefix, for help texts."""
    aggregation: Aggregation
    """The aggregation of all its tasks."""

    def task(self, name: str, include_path: Path | None) -> Task:
        """Return a task by its name in the other harness; `include_path` adds a folder of tasks.

        Raises `UsageError` if the other harness is not installed.
        """

    def scorer(self, task: str, aggregation: Aggregation) -> Scorer | None:
        """Return the other harness's scorer for one of our tasks, by name; None if it has none.

        It scores items; their values are averaged by `aggregation`, the official one of the task.
        """
