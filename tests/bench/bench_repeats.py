"""How often the 95 % intervals of runs with repeats contain the true figure, in simulation.

``python -m tests.bench.bench_repeats`` draws benchmarks whose true scores are known: videos differ,
the questions of a video differ, and each question is answered K times. Every figure is computed
by the code that summarises runs. The truth of a draw is the figure's mean over infinitely many
videos of the same kind, computed from a draw of a hundred thousand videos.

Beside our intervals it shows what naive ones would cover: all answers as if they were independent,
clustered by question, and from the spread of the K repeats' scores.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, stdtrit

from harness.run.summary import summarise
from harness.schema import Outcome, RepeatSummary, TaskSummary
from harness.stats import clustered_estimate
from harness.stats.repeats import majority_value, pass_at_k
from tests.toys import planned, record, sample

LETTERS = "ABCD"
"""Answers; A is right."""
Interval = tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A benchmark and how often it is asked."""

    name: str
    questions: tuple[int, ...]
    """Per video."""
    repeats: int
    failed: float = 0.0
    """Probability that a repeat fails."""


SHAPES = (
    Shape(name="40 videos x 4 questions x 5 repeats", questions=(4,) * 40, repeats=5),
    Shape(
        name="60 videos of 1 to 6 questions x 4 repeats, 10 % of the repeats failed",
        questions=tuple(1 + n % 6 for n in range(60)),
        repeats=4,
        failed=0.1,
    ),
    Shape(
        name="60 videos, six with 12 questions, the others 1 to 3, x 4 repeats, 10 % failed",
        questions=tuple(1 + n % 3 if n % 10 else 12 for n in range(60)),
        repeats=4,
        failed=0.1,
    ),
)


def draw_answers(
    rng: np.random.Generator, shape: Shape, questions: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return answers, shape (items, repeats), 0 the right one, and each item's video.

    The chance to be right has a video's effect and a question's effect of standard deviation 1 on
    the logit scale; a wrong answer is one of three, one of which attracts most of them.
    """
    videos = np.repeat(np.arange(len(questions)), questions)
    effect = rng.normal(0, 1, len(questions))[videos] + rng.normal(0, 1, videos.size)
    right = rng.random((videos.size, shape.repeats)) < expit(0.3 + effect)[:, None]
    wrong = rng.choice([1, 2, 3], size=right.shape, p=[0.6, 0.2, 0.2])
    return np.where(right, 0, wrong), videos


def true_figures(shape: Shape, videos: int = 100_000) -> dict[str, float]:
    """Return the figures of infinitely many videos, in percent; questions weigh the same."""
    rng = np.random.default_rng(1)
    pattern = np.resize(np.array(shape.questions), videos)
    answers, _ = draw_answers(rng, replace(shape, failed=0.0), pattern)
    k, right = shape.repeats, (answers == 0).sum(axis=1)
    passed = np.array([pass_at_k(k, c, 2) for c in range(k + 1)])[right]
    # With failed repeats majority and change are figures of fewer answers: their own truth.
    kept = rng.random(answers.shape) >= shape.failed
    sample_of = rng.permutation(len(answers))[:60_000]
    rows = [answers[i][kept[i]] for i in sample_of]
    majority = [majority_value([(int(a), float(a == 0)) for a in row]) for row in rows if row.size]
    changed = [float(np.unique(row).size > 1) for row in rows if row.size > 1]
    return {
        "avg@K": 100 * float(right.mean() / k),
        "pass@2": 100 * float(passed.mean()),
        "majority@K": 100 * float(np.mean(majority)),
        "changed": 100 * float(np.mean(changed)),
    }


def summarise_draw(
    rng: np.random.Generator, shape: Shape
) -> tuple[TaskSummary, NDArray[np.float64]]:
    """Draw a benchmark and summarise it as a run would be; also return the values."""
    answers, videos = draw_answers(rng, shape, shape.questions)
    failed = rng.random(answers.shape) < shape.failed
    items = [replace(sample(1), id=f"toy/{n}", cluster=f"v{v}") for n, v in enumerate(videos)]
    one = planned(items)
    one = replace(one, protocol=replace(one.protocol, repeats=shape.repeats))
    template = record(1)
    records = [
        replace(
            template,
            id=items[n].id,
            repeat=r,
            cluster=items[n].cluster,
            category="odd",
            value=None if failed[n, r] else float(answer == 0),
            answer=None if failed[n, r] else LETTERS[answer],
            outcome=Outcome.FAILED
            if failed[n, r]
            else (Outcome.CORRECT if answer == 0 else Outcome.WRONG),
        )
        for n, row in enumerate(answers)
        for r, answer in enumerate(row)
    ]
    values = np.where(failed, np.nan, (answers == 0).astype(float))
    return summarise(one, {"toy": records}), values


def intervals(summary: TaskSummary, values: NDArray[np.float64]) -> dict[str, Interval]:
    """Return our intervals and the naive ones, in percent."""
    repeats = summary.repeats
    assert repeats is not None
    return {
        "avg@K": summary.ci95,
        **_intervals_of(repeats),
        "avg@K, answers as if independent": _naive(values, lambda n, r: f"{n}/{r}"),
        "avg@K, clustered by question": _naive(values, lambda n, r: str(n)),
        "avg@K, spread of the repeats": _spread(values),
    }


def _intervals_of(repeats: RepeatSummary) -> dict[str, Interval]:
    figures = {
        "pass@2": repeats.pass_at["2"],
        "majority@K": repeats.majority,
        "changed": repeats.changed,
    }
    return {name: figure and figure.ci95 for name, figure in figures.items()}


def _naive(values: NDArray[np.float64], cluster: Callable[[int, int], str]) -> Interval:
    kept = [(n, r) for n, r in np.ndindex(values.shape) if not np.isnan(values[n, r])]
    found = clustered_estimate(
        [float(values[at]) for at in kept], [cluster(*at) for at in kept], None
    )
    return found.ci95 and (100 * found.ci95[0], 100 * found.ci95[1])


def _spread(values: NDArray[np.float64]) -> Interval:
    means = 100 * np.nanmean(values, axis=0)
    half = stdtrit(means.size - 1, 0.975) * means.std(ddof=1) / np.sqrt(means.size)
    return means.mean() - half, means.mean() + half


def coverage(shape: Shape, draws: int, seed: int = 0) -> dict[str, float]:
    """Return for each figure the share of draws, in percent, whose interval contains the truth."""
    truth, rng = true_figures(shape), np.random.default_rng(seed)
    hits: dict[str, list[bool]] = {}
    for _ in range(draws):
        summary, values = summarise_draw(rng, shape)
        for name, interval in intervals(summary, values).items():
            low, high = interval or (0.0, 100.0)
            hits.setdefault(name, []).append(low <= truth[name.partition(",")[0]] <= high)
    return {name: 100 * float(np.mean(found)) for name, found in hits.items()}


def main() -> None:
    """Print the coverage of every interval for both shapes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2000)
    draws = parser.parse_args().draws
    for shape in SHAPES:
        print(f"{shape.name}, {draws} draws")  # noqa: T201
        for name, share in coverage(shape, draws).items():
            print(f"  {name:36} {share:5.1f} %")  # noqa: T201


if __name__ == "__main__":
    main()
