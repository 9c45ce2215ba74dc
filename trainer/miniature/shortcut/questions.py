"""Answer the questions of the shortcut experiment from differences between its models.

An answer is computed from the 95 % interval of one difference, over clips and seeds: yes where the
interval lies above 0, no where it lies below the margin, that is, where a difference that matters
is excluded. Else it is undecided, and `harness.stats.crossed.seeds_needed` says how many seeds
would decide it if the difference stayed as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from harness.stats import Estimate
from harness.stats.crossed import seeds_needed
from trainer.miniature.arms import Arm
from trainer.miniature.results import Measure, Results, estimate_table
from trainer.miniature.shortcut.arms import START, ShortcutArms, algorithm_title
from trainer.miniature.shortcut.measures import BOTH, LYING


class Answer(StrEnum):
    """Whether a difference is there."""

    YES = "yes"
    """The interval lies above 0."""
    NO = "no"
    """It lies below the margin, and does not lie above 0."""
    UNDECIDED = "undecided"
    """Neither."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question that one difference answers: the score of `more` minus that of `less`."""

    name: str
    """Key in ``outcome.json``."""
    sentence: str
    more: Arm
    less: Arm
    measure: Measure
    agreement: float
    """Share of training clips whose mark agrees."""
    control: float | None = None
    """That share for `more`, where it is another one."""

    @property
    def difference(self) -> str:
        """The difference that decides, such as ``start - GRPO, lying mark``."""
        more, less = (arm.title.partition(":")[0] for arm in (self.more, self.less))
        if self.control is not None:
            more, less = f"{more} at {100 * self.control:.0f} %", f"at {100 * self.agreement:.0f} %"
        return f"{more} - {less}, {self.measure.title}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A question with its measured difference and its answer."""

    question: Question
    difference: Estimate
    """As a share in [-1, 1], not in points."""
    answer: Answer
    seeds_needed: int | None = None
    """Seeds that would decide an undecided question; None: more than can be said."""

    @property
    def verdict(self) -> str:
        """The answer, for an undecided question with the number of seeds that it would take."""
        if self.answer is not Answer.UNDECIDED:
            return str(self.answer)
        if self.seeds_needed is None:
            return "undecided; seeds alone do not decide it"
        return f"undecided; about {self.seeds_needed:,} seeds would decide it"


def list_questions(arms: ShortcutArms) -> Iterator[Question]:
    """Yield the questions, each with every algorithm and share that it is asked of.

    The last one, against the same algorithm without a shortcut, was added when the first reported
    run was known (docs/shortcut.md): its starts already answered by the mark, so that no training
    could score less than they did.
    """
    first = arms.baseline
    for share in arms.temptations:
        yield Question(
            name=f"takes-{100 * share:.0f}",
            sentence=f"Does {algorithm_title(first)} take the shortcut?",
            more=START,
            less=arms.arm(first, share),
            measure=LYING,
            agreement=share,
        )
    for name in arms.algorithms[1:]:
        for share in arms.temptations:
            yield Question(
                name=f"prevents-{name}-{100 * share:.0f}",
                sentence=f"Does {algorithm_title(name)} prevent it?",
                more=arms.arm(name, share),
                less=arms.arm(first, share),
                measure=LYING,
                agreement=share,
            )
    for name in arms.algorithms[1:]:
        yield Question(
            name=f"costs-{name}",
            sentence=f"Does {algorithm_title(name)} cost score without a shortcut?",
            more=arms.arm(first, arms.control),
            less=arms.arm(name, arms.control),
            measure=BOTH,
            agreement=arms.control,
        )
    for name in arms.algorithms:
        for share in arms.temptations:
            yield Question(
                name=f"learns-{name}-{100 * share:.0f}",
                sentence=f"Does {algorithm_title(name)} answer by a mark that agreed?",
                more=arms.arm(name, arms.control),
                less=arms.arm(name, share),
                measure=LYING,
                agreement=share,
                control=arms.control,
            )


def answer_questions(results: Results, arms: ShortcutArms, margin: float) -> tuple[Finding, ...]:
    """Answer the questions both of whose arms were trained; `margin` in points."""
    return tuple(
        answer_question(
            one,
            results.table(one.more, one.measure) - results.table(one.less, one.measure),
            margin / 100,
        )
        for one in list_questions(arms)
        if {one.more, one.less} <= set(results.arms)
    )


def answer_question(question: Question, differences: NDArray[np.float64], margin: float) -> Finding:
    """Answer one question.

    Args:
        question: What is asked.
        differences: Differences of scores in [-1, 1], shape (seeds, pairs of clips).
        margin: Difference below which it does not matter, as a share.
    """
    found = estimate_table(differences)
    low, high = found.ci95 or (-1.0, 1.0)
    if low > 0:
        return Finding(question=question, difference=found, answer=Answer.YES)
    if high < margin:
        return Finding(question=question, difference=found, answer=Answer.NO)
    # Narrow enough to lie above 0 or below the margin, whichever the mean is farther from.
    half = max(found.mean, margin - found.mean)
    needed = seeds_needed(differences, half) if half > 0 else None
    if needed is not None:
        needed = max(needed, len(differences) + 1)
    return Finding(
        question=question, difference=found, answer=Answer.UNDECIDED, seeds_needed=needed
    )


def summarize(findings: Sequence[Finding]) -> str:
    """Return the names of the questions by answer: ``yes: takes-90; no: prevents-tgrpo-90``."""
    parts = [
        f"{answer}: {', '.join(names)}"
        for answer in Answer
        if (names := [one.question.name for one in findings if one.answer is answer])
    ]
    return "; ".join(parts) or "no question compares the arms that were trained"
