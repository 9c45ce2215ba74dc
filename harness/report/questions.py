"""Joins the questions of several runs: what all of them asked, and what one asked otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.report.answers import Answers
from harness.run.samples_file import StoredSample, read_samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """The questions of a report."""

    shared: Mapping[str, StoredSample]
    """By id, as the first run that has the question asked it."""
    own: Sequence[Mapping[str, StoredSample]]
    """Per run, the questions that it asked otherwise: other options, another prompt."""
    notes: tuple[str, ...]
    """Which questions are not known or differ in their text, in words."""

    def of(self, run: int, name: str) -> StoredSample | None:
        """Return a question as one run asked it; None where no run has kept it."""
        return self.own[run].get(name) or self.shared.get(name)


def read_questions(runs: Sequence[Answers]) -> Questions:
    """Read the stored questions of all runs.

    Raises:
        DatasetError: A line of a ``samples.jsonl`` is malformed; names file, line and field.
    """
    shared: dict[str, StoredSample] = {}
    own: list[dict[str, StoredSample]] = []
    notes: list[str] = []
    for run in runs:
        found = read_samples(run.source.folder)
        if found.lacking:
            notes.append(f"{run.source.label}: {found.lacking}")
        differing = {
            name: sample
            for name, sample in found.items()
            if shared.setdefault(name, sample) != sample
        }
        own.append(differing)
        changed = [n for n, sample in differing.items() if sample.question != shared[n].question]
        if changed:
            questions = "1 question has" if len(changed) == 1 else f"{len(changed)} questions have"
            notes.append(
                f"{run.source.label}: {questions} another text than in {runs[0].source.label}"
                f" (first: {changed[0]})"
            )
    return Questions(shared=shared, own=own, notes=tuple(notes))
