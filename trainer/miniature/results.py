"""Compute scores with intervals over clips and seeds, and differences between arms.

Every model answers the same clips, so that a score is the mean of a table of seeds by contrast
pairs; `harness.stats.crossed_estimate` gives its interval. Differences are taken cell by cell.
Scores are shares in [0, 1] here and points in the report.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness.schema import Sample, Variant
from harness.scoring.rules import score_video_r1
from harness.stats import Estimate, crossed_estimate
from harness.stats.estimate import cluster_sums
from trainer.miniature.arms import IMAGE_TASK, VIDEO_TASK, Arm
from trainer.miniature.evaluations import Evaluations


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One way to score a model."""

    name: str
    """Key in ``outcome.json``."""
    title: str
    task: str = VIDEO_TASK
    variant: Variant = Variant.ORDERED
    minus: Variant | None = None
    """The variant that is subtracted, clip by clip."""
    same_as: Variant | None = None
    """Measure, in place of scores, whether the answer is the same as in this variant."""
    part: str | None = None
    """An aspect, or whether the appearance was seen in training; None: all questions."""


ORDERED = Measure(name="ordered", title="ordered clips")
GAIN = Measure(name="temporal_gain", title="temporal gain", minus=Variant.SHUFFLED)
IMAGES = Measure(name="stills", title="images", task=IMAGE_TASK)
IMAGES_BLIND = Measure(
    name="stills_blind", title="images, blind", task=IMAGE_TASK, variant=Variant.BLIND
)
MEASURES = (
    ORDERED,
    GAIN,
    Measure(name="shuffled", title="shuffled", variant=Variant.SHUFFLED),
    Measure(name="reversed", title="reversed", variant=Variant.REVERSED),
    Measure(name="single", title="single frame", variant=Variant.SINGLE),
    Measure(name="blind", title="blind", variant=Variant.BLIND),
    IMAGES,
)
"""The columns of the table."""


@dataclass(frozen=True, slots=True)
class Results:
    """Scores of every arm over clips and seeds."""

    evaluations: Evaluations

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The trained arms, in the order of the table."""
        return self.evaluations.arms

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the trainings."""
        return self.evaluations.seeds

    @property
    def basis(self) -> str:
        """What the intervals are over, as text."""
        if len(self.seeds) == 1:
            return "over clips alone: one seed says nothing about another seed"
        return f"over clips and {len(self.seeds)} seeds: for new clips and new seeds"

    def score(self, arm: Arm, measure: Measure) -> Estimate:
        """Return the mean score of an arm; the interval of a score is cut to [0, 1]."""
        found = estimate_table(self.table(arm, measure))
        if measure.minus is not None or found.ci95 is None:
            return found
        low, high = found.ci95
        return replace(found, ci95=(max(0.0, low), min(1.0, high)))

    def difference(self, arm: Arm, other: Arm, measure: Measure) -> Estimate:
        """Return the score of an arm minus that of another one, on the same clips and seeds."""
        return estimate_table(self.table(arm, measure) - self.table(other, measure))

    def table(self, arm: Arm, measure: Measure) -> NDArray[np.float64]:
        """Return the mean values of contrast pairs, shape (seeds, pairs)."""
        scores = self._values(arm, measure)
        samples = self.evaluations.samples[measure.task]
        kept = [index for index, sample in enumerate(samples) if _belongs(sample, measure)]
        clusters = [samples[index].cluster for index in kept]
        sizes = cluster_sums(np.ones(len(kept)), clusters)
        assert len(set(sizes)) == 1, f"{measure.title}: pairs of different sizes, {set(sizes)}"
        return np.stack([cluster_sums(row, clusters) / sizes for row in scores[:, kept]])

    def _values(self, arm: Arm, measure: Measure) -> NDArray[np.float64]:
        """Return the values of single clips, shape (seeds, clips)."""
        evaluations = self.evaluations
        scores: NDArray[np.float64]
        scores = evaluations.scores[arm.name, measure.variant, measure.task]
        if measure.same_as is not None:
            answers = evaluations.answers[arm.name, measure.variant, measure.task]
            other = evaluations.answers[arm.name, measure.same_as, measure.task]
            same: NDArray[np.float64] = np.asarray(answers == other, np.float64)
            return same
        if measure.minus is not None:
            scores = scores - evaluations.scores[arm.name, measure.minus, measure.task]
        return scores


@dataclass(frozen=True, slots=True)
class AblationResults(Results):
    """The results of the paper's ablation."""

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The columns of the table for which the dataset has questions."""
        return tuple(measure for measure in MEASURES if measure.task in self.evaluations.samples)

    @property
    def breakdown(self) -> tuple[Measure, ...]:
        """Ordered clips per aspect and per seen or new appearance; images without the image."""
        paths = [sample.category.split("/") for sample in self.evaluations.samples[VIDEO_TASK]]
        aspects = dict.fromkeys(path[0] for path in paths)
        novelties = dict.fromkeys(path[1] for path in paths)
        return (
            *(Measure(name=f"aspect_{name}", title=name, part=name) for name in aspects),
            *(
                Measure(name=f"look_{name}", title=f"{name} appearances", part=name)
                for name in novelties
            ),
            *((IMAGES_BLIND,) if IMAGE_TASK in self.evaluations.samples else ()),
        )

    def constant_baseline(self, measure: Measure) -> float:
        """Return the score of the best constant answer per aspect, chosen on these questions."""
        if measure.minus is not None:
            return 0.0
        samples = self.evaluations.samples[measure.task]
        answers = _best_constants(samples)
        earned = [
            score_video_r1(sample, answers[_aspect(sample)]).value or 0.0
            for sample in samples
            if _belongs(sample, measure)
        ]
        return float(np.mean(earned))


def estimate_table(table: NDArray[np.float64]) -> Estimate:
    """Estimate the mean of a table of shape (seeds, pairs); no interval for a single pair."""
    if table.shape[1] < 2:
        return Estimate(
            mean=float(table.mean()), se=None, ci95=None, n=table.size, n_clusters=table.shape[1]
        )
    return crossed_estimate(table)


def _best_constants(samples: Sequence[Sample]) -> dict[str, str]:
    """Map each aspect to its constant answer with the highest score."""
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
