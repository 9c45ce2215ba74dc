"""Rewards by hand: accuracy per problem type, format, length and temporal bonus."""

import re
from dataclasses import replace
from random import Random

import pytest

from harness.schema import Kind, Sample
from trainer.config.choices import GroupAccuracy
from trainer.config.rl_sections import RewardSettings, TemporalRewardSettings
from trainer.rewards.rewards import (
    accuracy,
    format_reward,
    length_bonus,
    mean_rouge,
    relative_closeness,
    word_accuracy,
)
from trainer.rewards.temporal import group_accuracy, temporal_bonus

PAPER = TemporalRewardSettings()
CODE = TemporalRewardSettings(
    mu=0.8, tau=0.1, group_accuracy=GroupAccuracy.MEAN, length_min_correct=2
)


def _sample(kind, answer, options=()):
    return Sample(
        id="s", task="train", question="?", answer=answer, kind=Kind(kind), category=kind,
        cluster="v", options=options,
    )  # fmt: skip


def _answered(answer):
    return f"<think>so</think>\n<answer>{answer}</answer>"


@pytest.mark.parametrize(
    ("kind", "gold", "answer", "reward"),
    [
        ("multiple choice", "B", "B", 1.0),
        ("multiple choice", "B", " B\n", 1.0),
        ("multiple choice", "B", "b", 0.0),
        ("multiple choice", "B", "B.", 0.0),
        ("multiple choice", "B", "", 0.0),
        ("numerical", "1200", "1,200", 0.0),  # a comma is a decimal mark, and only one has one
        ("numerical", "1,200", "1,200.0", 1.0),
        ("numerical", "0.286", "0.2901", 1.0),  # equal after rounding to two decimals
        ("numerical", "3", "three", 0.0),
        ("regression", "10", "9", 0.9),  # 1 - 1/10
        ("regression", "2", "1", 0.5),
        ("regression", "2", "5", 0.0),  # off by more than the target itself
        ("regression", "0", "0", 0.0),  # (0 + 1e-9) / (0 + 1e-9) = 1, as in the original
        ("regression", "2", "nan", 0.0),  # the original gives 1: max(0, nan) is 0 in Python
        ("regression", "2", "inf", 0.0),
        ("regression", "1,000", "900", 0.9),
    ],
)
def test_accuracy_by_problem_type(kind, gold, answer, reward):
    """Values by hand from the paper's rules."""
    sample = _sample(kind, gold, ("x", "y"))
    assert accuracy(sample, _answered(answer)) == pytest.approx(reward, abs=1e-8)


def test_an_answer_outside_the_tags_earns_nothing():
    """The evaluation would fall back to the whole text; training teaches the tags."""
    sample = _sample("multiple choice", "B", ("x", "y"))
    assert accuracy(sample, "B") == 0.0
    assert accuracy(sample, "<think>so</think><answer>B") == 0.0
    assert accuracy(sample, "<answer>A</answer><answer>B</answer>") == 0.0  # the first counts


def test_relative_closeness_is_nearly_one_for_a_hit():
    """One part in 10^9 is lost to the guard against a target of 0."""
    assert relative_closeness(4.0, 4.0) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize(
    ("predicted", "reward"),
    [
        ("the quick brown fox", 1.0),
        ("the quick  brown\nfox", 1.0),  # any white space separates words
        ("The quick brown fox", 0.75),  # one of four words substituted
        ("quick brown", 0.5),  # two deleted
        ("the very quick brown fox jumps", 0.5),  # two inserted
        ("a b c d e f", 0.0),  # more errors than words is not below 0
        ("", 0.0),
    ],
)
def test_word_accuracy_by_hand(predicted, reward):
    """One minus the word error rate against four words."""
    pytest.importorskip("rapidfuzz")
    assert word_accuracy(predicted, "the quick brown fox") == pytest.approx(reward)


def test_mean_rouge_by_hand():
    """Cats/cat are one stem; 3 of 3 and 3 of 4 unigrams, 2 of 2 and 2 of 3 bigrams, LCS 3.

    ROUGE-1 = ROUGE-L = 2 * 1 * 0.75 / 1.75 = 6/7, ROUGE-2 = 2 * 1 * (2/3) / (5/3) = 4/5.
    """
    pytest.importorskip("rouge_score")
    assert mean_rouge("two cats sleep", "Two cat sleep.") == pytest.approx(1.0)
    assert mean_rouge("two cats sleep", "two cats sleep here") == pytest.approx(
        (6 / 7 + 4 / 5 + 6 / 7) / 3
    )
    assert mean_rouge("", "two cats") == 0.0


@pytest.mark.parametrize(
    ("text", "reward"),
    [
        ("<think>a</think><answer>b</answer>", 1.0),
        ("<think>a</think> \n\n <answer>b</answer>", 1.0),
        ("<think></think><answer></answer>", 1.0),
        ("<think>a</think> so <answer>b</answer>", 0.0),
        ("<think>a</think><answer>b</answer>\n", 0.0),
        (" <think>a</think><answer>b</answer>", 0.0),
        ("<think>a<answer>b</answer>", 0.0),
        ("<answer>b</answer><think>a</think>", 0.0),
        ("<think>a</think><answer>b</answer> c </think><answer>d</answer>", 1.0),
        ("<Think>a</Think><answer>b</answer>", 0.0),
        ("", 0.0),
    ],
)
def test_format_is_the_whole_text_or_nothing(text, reward):
    """A line break at the end already costs it."""
    assert format_reward(text) == reward


def test_format_agrees_with_the_papers_regular_expression():
    """On 20,000 random strings of the pieces it is made of."""
    rule, rng = re.compile(r"<think>.*?</think>\s*<answer>.*?</answer>", re.DOTALL), Random(0)
    pieces = ("<think>", "</think>", "<answer>", "</answer>", " ", "\n", "x")
    found = set()
    for _ in range(20_000):
        middle = "".join(rng.choices(pieces, k=rng.randint(0, 7)))
        text = middle if rng.random() < 0.3 else f"<think>{middle}</answer>"
        expected = float(rule.fullmatch(text) is not None)
        assert format_reward(text) == expected, text
        found.add(expected)
    assert found == {0.0, 1.0}


def test_format_takes_linear_time_on_degenerate_text():
    """A completion may repeat one tag to the token limit."""
    assert format_reward("<think>" + "</think> " * 200_000 + "</answer>") == 0.0


def test_the_length_bonus_is_for_correct_answers_in_the_window():
    """320 and 512 tokens belong to it, 319 and 513 do not."""
    lengths = [319, 320, 512, 513, 400]
    assert length_bonus([1, 1, 1, 1, 0], lengths, PAPER) == [0, 1, 1, 0, 0]


def test_a_lone_correct_answer_earns_the_length_bonus_in_the_paper_only():
    """The published code asks for at least two correct ones in the group."""
    alone, two = [1.0, 0.0, 0.0], [1.0, 0.2, 0.0]
    assert length_bonus(alone, [400] * 3, PAPER) == [1, 0, 0]
    assert length_bonus(alone, [400] * 3, CODE) == [0, 0, 0]
    assert length_bonus(two, [400] * 3, CODE) == [1, 1, 0]  # 0.2 is above its tau of 0.1
    assert length_bonus(two, [400] * 3, PAPER) == [1, 0, 0]  # and not above 0.5


@pytest.mark.parametrize(
    ("ordered", "shuffled", "settings", "earned"),
    [
        # 5/8 against 3/4: 0.625 < 0.75, but 0.625 >= 0.8 * 0.75 = 0.6
        ([1] * 5 + [0] * 3, [1, 1, 1, 0], PAPER, False),
        ([1] * 5 + [0] * 3, [1, 1, 1, 0], CODE, True),
        # a tie: 4/8 against 2/4
        ([1] * 4 + [0] * 4, [1, 1, 0, 0], PAPER, True),
        # all wrong: 0 >= 0 holds, and still nobody is correct
        ([0] * 8, [0] * 4, PAPER, False),
        ([0] * 8, [0] * 4, CODE, False),
        # a tie that binary fractions miss: 3/5 against 0.8 * 3/4 = 0.6000000000000001
        ([1, 1, 1, 0, 0], [1, 1, 1, 0], replace(CODE, tau=0.5), True),
    ],
)
def test_the_temporal_bonus_by_hand(ordered, shuffled, settings, earned):
    """Every correct completion of the group earns it, the wrong ones never."""
    expected = [float(earned and value == 1) for value in ordered]
    assert temporal_bonus(ordered, shuffled, settings) == expected


def test_graded_accuracies_count_as_share_or_as_mean():
    """0.6, 0.6, 0.4: two of three are above tau = 0.5; their mean is 1.6 / 3."""
    graded = [0.6, 0.6, 0.4]
    assert group_accuracy(graded, PAPER) == pytest.approx(2 / 3)
    assert group_accuracy(graded, CODE) == pytest.approx(1.6 / 3)
    # As shares 2/3 >= 1/2 earns the bonus; as means 1.6/3 < 1.0 * 0.55 does not.
    shuffled = [1.0, 0.1]
    assert temporal_bonus(graded, shuffled, PAPER) == [1, 1, 0]
    assert temporal_bonus(graded, shuffled, replace(CODE, mu=1.0)) == [0, 0, 0]
    assert temporal_bonus(graded, shuffled, CODE) == [1, 1, 1]  # 0.533 >= 0.44, all above 0.1


def test_tau_itself_is_not_above_tau():
    """Correct means strictly above."""
    assert temporal_bonus([0.5], [0.0], PAPER) == [0.0]
    assert length_bonus([0.5], [400], RewardSettings()) == [0.0]


def test_a_group_without_completions_has_no_accuracy():
    """Images have no shuffled group: asking for their bonus is a mistake, not a 0."""
    with pytest.raises(ValueError, match="without completions"):
        temporal_bonus([1.0], [], PAPER)
