"""Reward = score: on generated completions, except in the classes that one table lists."""

from random import Random

import pytest

from harness.schema import Kind, Sample
from harness.scoring.answers import (
    answer_tag,
    letters,
    number,
)
from harness.scoring.rules import score_video_r1
from tests.paths import ROOT
from trainer.rewards.reward_vs_score import (
    DIFFERENCES,
    differences,
)
from trainer.rewards.rewards import accuracy

PER_KIND = 10_000
NEEDS = {Kind.OCR: "rapidfuzz", Kind.FREE_FORM: "rouge_score"}
WORDS = ("the", "red", "cat", "Exit", "4", "moves", "left.", "zwölf", "A", "B")


@pytest.fixture(params=list(Kind))
def kind(request):
    if request.param in NEEDS:
        pytest.importorskip(NEEDS[request.param])
    return request.param


def _sample(rng, kind):
    options = tuple(rng.sample(WORDS, rng.randint(2, 6)))
    gold = {
        Kind.MULTIPLE_CHOICE: lambda: rng.choice(letters(len(options))),
        Kind.NUMERICAL: lambda: _number(rng),
        Kind.REGRESSION: lambda: _number(rng),
        Kind.SPAN: lambda: f"{rng.randint(0, 20)} to {rng.randint(21, 60)}.5",
    }.get(kind, lambda: " ".join(rng.choices(WORDS, k=rng.randint(1, 6))))()
    return Sample(
        id="s", task="train", question="?", answer=gold, kind=kind, category=kind, cluster="v",
        options=options if kind is Kind.MULTIPLE_CHOICE else (),
    )  # fmt: skip


def _number(rng):
    value = rng.choice([rng.randint(0, 30), round(rng.uniform(-5, 200), rng.randint(0, 4)), 1200])
    return rng.choice([str(value), f"{value:,}"])


def _answer(rng, sample):
    """Return the gold answer, something close to it, or nonsense."""
    gold = sample.answer
    near = number(gold)
    choices = [
        gold, gold, gold.lower(), f"({gold})", f"{gold}.", f" {gold}\n", f"Answer: {gold}", "",
        rng.choice("ABCDEFGZ"), rng.choice(WORDS), _number(rng), "nan", "inf", "1e400", "½",
    ]  # fmt: skip
    if near is not None:
        choices += [str(near * rng.uniform(0.4, 1.6)), f"{near:.2f}", f"{near:.1f}", f"{near} m"]
    return rng.choice(choices)


def _completion(rng, sample):
    """Return a completion: well formed, decorated, doubled, untagged or cut off."""
    answer = _answer(rng, sample)
    thought = " ".join(rng.choices((*WORDS, "\n", "<answer>", "</answer>", "<think>"), k=5))
    tagged = f"<think>hm</think><answer> {answer}\n</answer>\n"
    others = [
        f"<think>{thought}</think>\n<answer>{answer}</answer>",
        f"<answer>{answer}</answer><answer>{_answer(rng, sample)}</answer>",
        f"<ANSWER>{answer}</ANSWER>",
        f"<think>{thought}</think>{answer}",
        answer,
    ]
    text = tagged if rng.random() < 0.7 else rng.choice(others)
    return text[: rng.randint(0, len(text))] if rng.random() < 0.15 else text


def _generated(kind):
    rng = Random(f"completions about {kind}")
    for _ in range(PER_KIND):
        sample = _sample(rng, kind)
        yield sample, _completion(rng, sample)


def test_reward_equals_score_outside_the_listed_differences(kind):
    """10,000 completions per problem type; whatever is unequal has to be in the table."""
    equal = 0
    for sample, text in _generated(kind):
        if not differences(sample, text):
            assert accuracy(sample, text) == score_video_r1(sample, text).value, (sample, text)
            equal += 1
    graded = kind in (Kind.REGRESSION, Kind.OCR, Kind.FREE_FORM)
    assert equal == 0 if graded else equal > PER_KIND // 2


@pytest.mark.slow
def test_every_listed_difference_is_one():
    """An entry that no completion needs would hide mistakes."""
    for name in NEEDS.values():
        pytest.importorskip(name)
    unequal = {
        difference.name
        for kind in Kind
        for sample, text in _generated(kind)
        if accuracy(sample, text) != score_video_r1(sample, text).value
        for difference in differences(sample, text)
    }
    assert unequal == {difference.name for difference in DIFFERENCES}


def test_within_a_difference_the_reward_still_reads_the_same_answer(kind):
    """Nothing in tags: 0. Otherwise only the content of the first pair of tags counts."""
    for sample, text in _generated(kind):
        answer = answer_tag(text)
        if not answer:
            assert accuracy(sample, text) == 0.0
        else:
            assert accuracy(sample, text) == accuracy(sample, f"<answer>{answer}</answer>")


def test_a_regression_reward_above_one_half_is_a_score_above_zero():
    """Both begin where the error falls below 50 %; the last digits are float32's there.

    A target of 0 has no relative error: the reward is 0 for every answer, the score 1 for a hit.
    """
    for sample, text in _generated(Kind.REGRESSION):
        reward = accuracy(sample, text)
        if number(sample.answer) and answer_tag(text) and abs(reward - 0.5) > 1e-6:
            assert (reward > 0.5) == (score_video_r1(sample, text).value > 0), (sample, text)


def test_the_documentation_shows_the_same_table():
    """``docs/rewards.md`` has a row per difference, in these words."""
    text = (ROOT / "docs/rewards.md").read_text(encoding="utf-8")
    text = text.replace("`", "")
    for difference in DIFFERENCES:
        assert f"| {difference.name} | {difference.reward} | {difference.score} |" in text
