"""Which ranks the data allow: by hand, against the paired difference, and on simulated boards."""

import numpy as np
import pytest

from harness.board.cells import (
    ScoredItems,
    estimate_score,
    find_aggregation,
)
from harness.board.entry import (
    Answers,
    Items,
)
from harness.board.ranks import RankRange, rank_ranges
from harness.stats import paired_difference
from harness.stats.estimate import effective_clusters


def _simulated(rng, *, videos, questions, gap, sd):
    """Scores and influences of models whose true order is known: the last one is best."""
    models = 6
    skill = 0.5 + gap * np.arange(models)
    ease = rng.normal(0, 0.1, (videos, 1)) + rng.normal(0, sd, (videos, models))
    shares = rng.binomial(questions, np.clip(skill + ease, 0, 1)) / questions
    scores = shares.mean(axis=0)
    return scores, (shares - scores) / videos


@pytest.mark.parametrize(
    ("videos", "questions", "gap", "sd"),
    [(288, 18, 0.01, 0.2), (300, 3, 0.02, 0.1), (12, 18, 0.03, 0.1)],
    ids=["vsibench", "videommmu", "few videos"],
)
def test_all_true_ranks_lie_in_their_ranges(videos, questions, gap, sd):
    """In at least 95 % of simulated boards, for all six models at once."""
    rng = np.random.default_rng(11)
    held = 0
    for _ in range(100):
        ranges = rank_ranges(*_simulated(rng, videos=videos, questions=questions, gap=gap, sd=sd))
        held += all(r.best <= 6 - place <= r.worst for place, r in enumerate(ranges))
    assert held >= 95


def test_equal_models_are_told_apart_in_about_five_percent():
    """With no true difference any separated pair is an error: 10 of 200, 19 with 3 sigma."""
    rng = np.random.default_rng(5)
    boards = [_simulated(rng, videos=100, questions=3, gap=0.0, sd=0.1) for _ in range(200)]
    wrong = sum(any(r != RankRange(1, 6) for r in rank_ranges(*board)) for board in boards)
    assert wrong <= 19


def test_a_clear_order_gives_single_ranks():
    """Twenty points apart over 400 videos: every model has one rank."""
    rng = np.random.default_rng(3)
    right = rng.random((400, 3)) < [0.9, 0.5, 0.1]
    scores = right.mean(axis=0)
    ranges = rank_ranges(scores, (right - scores) / 400)
    assert ranges == [RankRange(1, 1), RankRange(2, 2), RankRange(3, 3)]
    assert [str(r) for r in ranges] == ["1", "2", "3"]


def test_ranks_by_hand():
    """A and B are equal, C is 0 where they are right: 1-2, 1-2, 3."""
    rng = np.random.default_rng(0)
    good = (rng.random(200) < 0.8).astype(float)
    values = np.stack([good, good, np.zeros(200)], axis=1)
    scores = values.mean(axis=0)
    ranges = rank_ranges(scores, (values - scores) / 200)
    assert [str(r) for r in ranges] == ["1-2", "1-2", "3"]


@pytest.mark.parametrize(("videos", "certain"), [(1, False), (2, False), (5, False), (6, True)])
def test_few_videos_are_never_certain(videos, certain):
    """All right against all wrong: 2 / 2^6 is below 5 %, 2 / 2^5 is not."""
    ranges = rank_ranges(np.array([1.0, 0.0]), np.zeros((videos, 2)))
    assert ranges == ([RankRange(1, 1), RankRange(2, 2)] if certain else [RankRange(1, 2)] * 2)


def test_a_heavy_video_separates_no_equal_models():
    """One of 40 videos holds a third of the weight: at most 7 % of equal boards are told apart."""
    rng = np.random.default_rng(2)
    shares = np.array([300] + [15] * 39) / 885
    wrong = {None: 0, effective_clusters(shares): 0}
    for _ in range(300):
        values = rng.normal(0, 0.1, (40, 1)) + rng.normal(0, 0.1, (40, 3))
        scores = shares @ values
        moved = shares[:, None] * (values - scores)
        for effective in wrong:
            found = rank_ranges(scores, moved, effective)
            wrong[effective] += any(r != RankRange(1, 3) for r in found)
    naive, ours = wrong.values()
    assert ours <= 21
    assert naive > ours


def test_one_model_has_rank_one():
    """Nothing to compare with."""
    assert rank_ranges(np.array([0.5]), np.zeros((10, 1))) == [RankRange(1, 1)]


def test_influences_carry_the_paired_clustered_error():
    """Differences of influences have the mean and the error of `paired_difference`, macro mean."""
    rng = np.random.default_rng(1)
    types = ("object_counting", "object_rel_direction_easy", "object_rel_direction_hard")
    items = Items(
        tuple(f"i{n:03}" for n in range(60)),
        tuple(f"v{n // 4}" for n in range(60)),
        tuple(types[n % 3] for n in range(60)),
    )
    ours, theirs = (Answers(items, rng.random(60), {}) for _ in range(2))
    means = find_aggregation("vsibench", "official@1")
    paths = [means.levels(category) for category in items.categories]
    paired = paired_difference(theirs.values, ours.values, items.clusters, paths)
    assert estimate_score(ours, means).mean - estimate_score(theirs, means).mean == pytest.approx(
        paired.mean
    )
    moved = ScoredItems.of(ours, means).influence() - ScoredItems.of(theirs, means).influence()
    assert np.sqrt(15 / 14 * (moved @ moved)) == pytest.approx(paired.se, rel=1e-10)
