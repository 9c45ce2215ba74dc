"""What came out: scores over clips and seeds with their intervals, and differences of arms.

Every model answers the same clips, so a score is a table of seeds by pairs of twin clips and its
interval is `harness.stats.crossed_estimate`'s; differences are taken cell by cell. Scores are
shares in [0, 1] here and points on the pages.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.schema import Sample, Variant
from harness.scoring.rules import score_video_r1
from harness.stats import Estimate, crossed_estimate
from harness.stats.estimate import cluster_sums
from trainer.miniature.arms import ARMS, CLIPS, STILLS, Arm
from trainer.miniature.evaluations import (
    Exam,
    read_exam,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One way to score a model."""

    name: str
    """Key in ``outcome.json``."""
    title: str
    task: str = CLIPS
    variant: Variant = Variant.ORDERED
    minus: Variant | None = None
    """What is subtracted, clip by clip."""
    part: str | None = None
    """Aspect or look; None: all questions of the task."""


ORDERED = Measure(name="ordered", title="ordered clips")
GAIN = Measure(name="temporal_gain", title="temporal gain", minus=Variant.SHUFFLED)
STILL = Measure(name="stills", title="stills", task=STILLS)
STILL_BLIND = Measure(
    name="stills_blind", title="stills, blind", task=STILLS, variant=Variant.BLIND
)
MEASURES = (
    ORDERED,
    GAIN,
    Measure(name="shuffled", title="shuffled", variant=Variant.SHUFFLED),
    Measure(name="reversed", title="reversed", variant=Variant.REVERSED),
    Measure(name="single", title="single frame", variant=Variant.SINGLE),
    Measure(name="blind", title="blind", variant=Variant.BLIND),
    STILL,
)
"""The columns of the table."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Scores of every arm over clips and seeds."""

    exam: Exam

    @property
    def arms(self) -> tuple[Arm, ...]:
        """What was trained, in the order of the table."""
        return self.exam.arms

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the trainings."""
        return self.exam.seeds

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The columns that the world has questions for."""
        return tuple(measure for measure in MEASURES if measure.task in self.exam.samples)

    @property
    def parts(self) -> tuple[Measure, ...]:
        """Ordered clips per aspect and per look; stills without the picture."""
        paths = [sample.category.split("/") for sample in self.exam.samples[CLIPS]]
        aspects = dict.fromkeys(path[0] for path in paths)
        looks = dict.fromkeys(path[1] for path in paths)
        return (
            *(Measure(name=f"aspect_{name}", title=name, part=name) for name in aspects),
            *(Measure(name=f"look_{name}", title=f"{name} looks", part=name) for name in looks),
            *((STILL_BLIND,) if STILLS in self.exam.samples else ()),
        )

    @property
    def basis(self) -> str:
        """Say what an interval is over."""
        if len(self.seeds) == 1:
            return "over clips alone: one seed does not say what another seed gives"
        return f"over clips and {len(self.seeds)} seeds: for new clips and new seeds"

    def score(self, arm: Arm, measure: Measure) -> Estimate:
        """Return the mean score of an arm; the interval of a score ends where scores do."""
        found = _estimate(self._table(arm, measure))
        if measure.minus is not None or found.ci95 is None:
            return found
        low, high = found.ci95
        return replace(found, ci95=(max(0.0, low), min(1.0, high)))

    def difference(self, arm: Arm, other: Arm, measure: Measure) -> Estimate:
        """Return by how much an arm scores more than another on the same clips and seeds."""
        return _estimate(self._table(arm, measure) - self._table(other, measure))

    def constant(self, measure: Measure) -> float:
        """Return what the best answer that is the same for all questions of an aspect scores."""
        if measure.minus is not None:
            return 0.0
        samples = self.exam.samples[measure.task]
        answers = _best_constants(samples)
        earned = [
            score_video_r1(sample, answers[_aspect(sample)]).value or 0.0
            for sample in samples
            if _belongs(sample, measure)
        ]
        return float(np.mean(earned))

    def _table(self, arm: Arm, measure: Measure) -> NDArray[np.float64]:
        """Return mean scores of twins, shape (seeds, pairs)."""
        scores = self.exam.scores[arm.name, measure.variant, measure.task]
        if measure.minus is not None:
            scores = scores - self.exam.scores[arm.name, measure.minus, measure.task]
        samples = self.exam.samples[measure.task]
        kept = [place for place, sample in enumerate(samples) if _belongs(sample, measure)]
        clusters = [samples[place].cluster for place in kept]
        sizes = cluster_sums(np.ones(len(kept)), clusters)
        assert len(set(sizes)) == 1, f"{measure.title}: pairs of different sizes, {set(sizes)}"
        return np.stack([cluster_sums(row, clusters) / sizes for row in scores[:, kept]])


def read_outcome(out: Path, seeds: Sequence[int], arms: Sequence[Arm] = ARMS) -> Outcome:
    """Read the evaluations below the folder of an experiment; `read_exam` says what is refused."""
    return Outcome(read_exam(out, seeds, arms))


def _estimate(table: NDArray[np.float64]) -> Estimate:
    """Estimate the mean of a table of shape (seeds, pairs); one pair has no interval."""
    if table.shape[1] < 2:
        return Estimate(
            mean=float(table.mean()), se=None, ci95=None, n=table.size, n_clusters=table.shape[1]
        )
    return crossed_estimate(table)


def _best_constants(samples: Sequence[Sample]) -> dict[str, str]:
    """Map each aspect to that one of its answers which earns most; among letters, the commonest."""
    aspects: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        aspects[_aspect(sample)].append(sample)
    return {aspect: _best_constant(asked) for aspect, asked in aspects.items()}


def _best_constant(samples: Sequence[Sample]) -> str:
    earned = {
        answer: sum(score_video_r1(sample, answer).value or 0.0 for sample in samples)
        for answer in sorted({sample.answer for sample in samples})
    }
    return max(earned, key=lambda answer: earned[answer])


def _aspect(sample: Sample) -> str:
    return sample.category.partition("/")[0]


def _belongs(sample: Sample, measure: Measure) -> bool:
    return measure.part is None or measure.part in sample.category.split("/")
