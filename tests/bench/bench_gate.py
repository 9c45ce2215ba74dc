"""Is the gate honest? Simulated pairs of models, judged by the gate's own functions.

    python -m tests.bench.bench_gate [--repetitions 1000]

A/A pairs have the same true score, yet each model is better on some videos and worse on others
(normal effects on the probit), so answers to questions about one video agree. Per shape: how often
margin 0 is called REGRESSION though nothing is worse, the same for the t test that ignores videos,
how often the 95 % interval contains the truth, and how often a true drop of exactly the margin plus
the minimum detectable effect is called, at margins 0 and 2. Every repetition takes the effect that
its own A/A pair prints and gives it to a fresh pair.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from harness.gate.verdict import (
    Verdict,
    decide_verdict,
)
from harness.stats import Estimate, minimum_detectable_effect, p_below, paired_difference

ALPHA, POWER = 0.05, 0.8
MARGINS = (0.0, 0.02)
ITEM_SD, VIDEO_SD = 0.85, 0.4
MODEL_SD = 0.55
"""How much two equal models differ on a video, each its own draw."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A benchmark: its videos with their questions, and the true score of both models."""

    name: str
    sizes: tuple[int, ...]
    """Questions of each video."""
    score: float = 0.5
    tracks: int = 1
    """The score is the mean of so many tracks, to which a video's questions belong in turn."""

    @classmethod
    def even(cls, videos: int, questions: int, score: float = 0.5) -> Shape:
        """Return a shape whose videos have equally many questions."""
        return cls(f"{videos} x {questions} at {score:.0%}", (questions,) * videos, score)

    @property
    def videos(self) -> NDArray[np.intp]:
        """Number of the video of each item."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @property
    def clusters(self) -> list[str]:
        """Video id of each item."""
        return [str(video) for video in self.videos]

    @property
    def paths(self) -> list[tuple[str, ...]] | None:
        """Track of each item; None with a single one."""
        if self.tracks == 1:
            return None
        return [(str(item % self.tracks),) for size in self.sizes for item in range(size)]


VIDEOMMMU = Shape("VideoMMMU, 300 x 3 tracks at 97%", (3,) * 300, 0.97, tracks=3)
DOMINATED = Shape("40 videos, one with a third of the items", (300,) + (15,) * 39)
SHAPES = (
    Shape.even(300, 1, 0.98),
    Shape.even(288, 18, 0.98),
    Shape.even(900, 3),
    VIDEOMMMU,
    Shape.even(288, 18, 0.6),
    Shape.even(288, 18),
    Shape.even(300, 1),
    Shape.even(410, 18),
    DOMINATED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What was called how often."""

    false_alarms: float
    unclustered: float
    covered: float
    """How often the 95 % interval of the difference contains 0."""
    power: tuple[float, ...]
    """For each of `MARGINS`, how often the printed effect beyond it is called."""
    mde: tuple[float, ...]
    """For each of `MARGINS`, the mean of the printed effects, as a share of 1."""


def draw_pair(
    shape: Shape, generator: np.random.Generator, drop: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw right-or-wrong answers of two models with the shape's score, less `drop` of the second.

    The second model loses each right answer with the same probability.
    """
    videos = shape.videos
    spread = np.sqrt(1 + ITEM_SD**2 + VIDEO_SD**2 + MODEL_SD**2)
    shared = generator.normal(ndtri(shape.score) * spread, ITEM_SD, videos.size)
    shared += generator.normal(0, VIDEO_SD, len(shape.sizes))[videos]
    effects = generator.normal(0, MODEL_SD, (2, len(shape.sizes)))[:, videos]
    right = shared + effects + generator.normal(0, 1, (2, videos.size)) > 0
    kept = generator.random(videos.size) >= drop / shape.score
    return right[0].astype(float), (right[1] & kept).astype(float)


def measure(shape: Shape, repetitions: int, seed: int = 0) -> Rates:
    """Simulate A/A pairs and pairs with a drop, and count what the gate calls."""
    generator = np.random.default_rng(seed)
    clusters, paths = shape.clusters, shape.paths
    counts: Counter[str] = Counter()
    effects = np.zeros(len(MARGINS))
    for _ in range(repetitions):
        base, candidate = draw_pair(shape, generator)
        difference = paired_difference(base, candidate, clusters, paths)
        low, high = difference.ci95 or (-1.0, 1.0)
        counts["alarms"] += _regression(difference, 0.0)
        counts["unclustered"] += _unclustered(candidate - base)
        counts["covered"] += low <= 0 <= high
        for position, margin in enumerate(MARGINS):
            effect = minimum_detectable_effect(difference, alpha=ALPHA, power=POWER, margin=margin)
            assert effect is not None, f"{shape.name}: no drop is detectable"
            effects[position] += effect
            pair = draw_pair(shape, generator, drop=margin + effect)
            counts[f"called {position}"] += _regression(
                paired_difference(*pair, clusters, paths), margin
            )
    return Rates(
        false_alarms=counts["alarms"] / repetitions,
        unclustered=counts["unclustered"] / repetitions,
        covered=counts["covered"] / repetitions,
        power=tuple(counts[f"called {n}"] / repetitions for n in range(len(MARGINS))),
        mde=tuple(effects / repetitions),
    )


def _regression(difference: Estimate, margin: float) -> bool:
    p = p_below(difference, -margin)
    return decide_verdict(difference, margin, alpha=ALPHA, p_regression=p) is Verdict.REGRESSION


def _unclustered(changes: NDArray[np.float64]) -> bool:
    """Test for a drop as if every question were about a video of its own."""
    error = changes.std(ddof=1) / np.sqrt(changes.size)
    return bool(error > 0 and changes.mean() / error < stdtrit(changes.size - 1, ALPHA))


def _percentages(shares: Sequence[float]) -> str:
    return " / ".join(f"{100 * share:.1f}" for share in shares)


def main() -> None:
    """Print one line per shape."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print("| videos x questions | false REGRESSION, % | unclustered | 95 % interval covers"  # noqa: T201
          " | called at MDE, margin 0 / 2 | mean MDE, points |")  # fmt: skip
    print("|---|---|---|---|---|---|")  # noqa: T201
    started = time.perf_counter()
    for shape in SHAPES:
        rates = measure(shape, args.repetitions, args.seed)
        print(  # noqa: T201
            f"| {shape.name} | {_percentages([rates.false_alarms])}"
            f" | {_percentages([rates.unclustered])} | {_percentages([rates.covered])}"
            f" | {_percentages(rates.power)}"
            f" | {' / '.join(f'{100 * effect:.2f}' for effect in rates.mde)} |",
            flush=True,
        )
    print(f"{args.repetitions} repetitions each, {time.perf_counter() - started:.0f} s")  # noqa: T201


if __name__ == "__main__":
    main()
