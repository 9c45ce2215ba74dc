"""Is the gate honest? Simulated pairs of models, judged by the gate's own functions.

    python -m tests.bench.bench_gate [--repetitions 2000]

A/A pairs have the same true score, yet each model is better on some videos and worse on others
(normal effects on the logit), so answers to questions about one video agree. Per
shape: how often margin 0 is called REGRESSION though nothing is worse, the same for the t test that
ignores videos, and how often a true drop of exactly the minimum detectable effect is called. Every
repetition takes the effect that its own A/A pair prints and gives it to a fresh pair.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, stdtrit

from harness.gate.verdict import (
    Verdict,
    decide_verdict,
)
from harness.stats import Estimate, minimum_detectable_effect, p_below, paired_difference

ALPHA, POWER = 0.05, 0.8
ITEM_SD, VIDEO_SD = 1.5, 0.7
MODEL_SD = 1.0
"""How much two equal models differ on a video, each its own draw."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A benchmark: so many videos with so many questions each."""

    videos: int
    questions: int

    @property
    def clusters(self) -> list[str]:
        """Video id of each item."""
        return [str(video) for video in range(self.videos) for _ in range(self.questions)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What was called how often."""

    false_alarms: float
    unclustered: float
    power: float
    mde: float
    """Mean of the printed effects, as a share of 1."""


SHAPES = (Shape(288, 18), Shape(900, 3), Shape(300, 1), Shape(410, 18))


def draw_pair(
    shape: Shape, generator: np.random.Generator, drop: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw right-or-wrong answers of two models; both are right half the time, less `drop`.

    The logits are symmetric around 0, so the true score is 1/2; the second model then loses each
    right answer with probability ``2 * drop``.
    """
    size = (shape.videos, shape.questions)
    shared = generator.normal(0, ITEM_SD, size) + generator.normal(0, VIDEO_SD, (shape.videos, 1))
    effects = generator.normal(0, MODEL_SD, (2, shape.videos, 1))
    right = generator.random((2, *size)) < expit(shared + effects)
    kept = generator.random(size) >= 2 * drop
    return right[0].ravel().astype(float), (right[1] & kept).ravel().astype(float)


def measure(shape: Shape, repetitions: int, seed: int = 0) -> Rates:
    """Simulate A/A pairs and pairs with a drop, and count what the gate calls."""
    generator = np.random.default_rng(seed)
    clusters = shape.clusters
    alarms, unclustered, called, effects = 0, 0, 0, 0.0
    for _ in range(repetitions):
        base, candidate = draw_pair(shape, generator)
        difference = paired_difference(base, candidate, clusters)
        alarms += _regression(difference)
        unclustered += _unclustered(candidate - base)
        mde = minimum_detectable_effect(difference, alpha=ALPHA, power=POWER) or 0.0
        effects += mde
        called += _regression(paired_difference(*draw_pair(shape, generator, drop=mde), clusters))
    return Rates(
        false_alarms=alarms / repetitions,
        unclustered=unclustered / repetitions,
        power=called / repetitions,
        mde=effects / repetitions,
    )


def _regression(difference: Estimate) -> bool:
    p = p_below(difference, 0.0)
    return decide_verdict(difference, 0.0, alpha=ALPHA, p_regression=p) is Verdict.REGRESSION


def _unclustered(changes: NDArray[np.float64]) -> bool:
    """Test for a drop as if every question were about a video of its own."""
    t = changes.mean() / (changes.std(ddof=1) / np.sqrt(changes.size))
    return bool(t < stdtrit(changes.size - 1, ALPHA))


def main() -> None:
    """Print one line per shape."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print("| videos x questions | false REGRESSION | unclustered | called at MDE | mean MDE |")  # noqa: T201
    print("|---|---|---|---|---|")  # noqa: T201
    started = time.perf_counter()
    for shape in SHAPES:
        rates = measure(shape, args.repetitions, args.seed)
        print(  # noqa: T201
            f"| {shape.videos} x {shape.questions} | {rates.false_alarms:.2%}"
            f" | {rates.unclustered:.2%} | {rates.power:.2%} | {100 * rates.mde:.2f} points |",
            flush=True,
        )
    print(f"{args.repetitions} repetitions each, {time.perf_counter() - started:.0f} s")  # noqa: T201


if __name__ == "__main__":
    main()
