"""Asks the multiple-choice questions of a benchmark with their options in other places."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from harness.schema import Sample
from harness.scoring.options import FixedOptionsError
from harness.task.api import Task


@runtime_checkable
class RotatesOptions(Protocol):
    """A benchmark whose options can be moved; `tasks.Benchmark` is one."""

    def rotate_options(self, sample: Sample, places: int) -> Sample:
        """Return a question with its options moved down by some places, and its gold with them.

        Whatever its prompts and scorers read has to move: `Sample.options`, `Sample.answer`, and
        texts in `Sample.source`. Raises `FixedOptionsError` where that is not possible.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class RotatedQuestions:
    """The questions of a task whose options could be moved, and why the others could not."""

    samples: tuple[Sample, ...]
    fixed: Mapping[str, tuple[str, ...]]
    """Ids of questions that are left out, by reason."""

    @property
    def sentence(self) -> str:
        """Why questions are left out, ``3 of 5 questions (not multiple choice)``; may be empty."""
        total = len(self.samples) + sum(map(len, self.fixed.values()))
        return ", ".join(
            f"{len(ids)} of {total} questions ({reason})" for reason, ids in self.fixed.items()
        )


def rotate_questions(
    task: Task, template: str, samples: Sequence[Sample], places: int
) -> RotatedQuestions:
    """Move the options of every question that has options in its prompt.

    Args:
        task: The benchmark.
        template: Prompt template of the protocol; options that it does not list cannot be moved.
        samples: Questions as published.
        places: How far options move down.
    """
    moved: list[Sample] = []
    fixed: defaultdict[str, list[str]] = defaultdict(list)
    for sample in samples:
        try:
            moved.append(_rotate(task, template, sample, places))
        except FixedOptionsError as error:
            fixed[str(error)].append(sample.id)
    return RotatedQuestions(
        samples=tuple(moved), fixed={reason: tuple(ids) for reason, ids in fixed.items()}
    )


def _rotate(task: Task, template: str, sample: Sample, places: int) -> Sample:
    if not isinstance(task, RotatesOptions):
        raise FixedOptionsError("the benchmark has no way to move options in its prompts")
    moved = task.rotate_options(sample, places)
    if moved.options == sample.options:
        raise FixedOptionsError("its options are equal, or as many as the places they move")
    if task.prompt(moved, template) == task.prompt(sample, template):
        raise FixedOptionsError("its prompt does not list the options")
    return moved
