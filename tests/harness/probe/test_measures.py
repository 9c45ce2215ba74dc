"""What a probe measures: paired differences and agreement, worked by hand."""

from dataclasses import replace

import pytest

from harness.probe.measures import AGREEMENT, GAIN, measure_task
from harness.schema import Failure, Outcome
from harness.scoring.options import rotate_options
from tests.toys import planned, record, sample

T_7 = 2.364624251592784
"""Student's t with 7 degrees of freedom, 97.5 %."""


def _plan(count=16):
    return planned([replace(sample(n), cluster=f"video {n // 2}") for n in range(count)])


def _records(plan, values):
    return [
        replace(record(n), cluster=asked.cluster, category=asked.category, value=value)
        for n, (asked, value) in enumerate(zip(plan.samples, values, strict=True))
    ]


def _answers(plan, answers):
    return [
        replace(one, answer=answer)
        for one, answer in zip(_records(plan, [1.0] * len(answers)), answers, strict=True)
    ]


def test_the_temporal_gain_and_its_interval_are_those_of_a_computation_by_hand():
    """Eight videos of two questions; two videos gain 1 in both, the others nothing.

    The mean is 1/4. A video moves it by (gain - 1/4) / 8: the sum of squares is
    2 (3/32)^2 + 6 (1/32)^2 = 24/1024, times 8/7 the variance 3/112.
    """
    plan = _plan()
    found = measure_task(
        GAIN, plan, plan, (_records(plan, [1.0] * 16), _records(plan, [0.0] * 4 + [1.0] * 12))
    )
    assert found.total.value == pytest.approx(25)
    assert found.total.se == pytest.approx(100 * (3 / 112) ** 0.5)
    half = 100 * T_7 * (3 / 112) ** 0.5
    assert found.total.ci95 == pytest.approx((25 - half, 25 + half))
    assert (found.total.n, found.total.n_clusters) == (16, 8)
    assert not found.left_out


def test_each_category_has_a_difference_of_its_own():
    """Questions with an even number gain 1, the others lose 1: together nothing."""
    plan = _plan()
    before, after = [1.0, 0.0] * 8, [0.0, 1.0] * 8
    found = measure_task(GAIN, plan, plan, (_records(plan, before), _records(plan, after)))
    assert found.total.value == pytest.approx(0)
    assert found.categories["even"].value == pytest.approx(100)
    assert found.categories["odd"].value == pytest.approx(-100)
    assert found.categories["odd"].n == 8


def test_what_cannot_be_compared_is_left_out_and_counted():
    """A failure, a question that the scorer leaves out, and one without a record."""
    plan = _plan(8)
    ordered, shuffled = _records(plan, [1.0] * 8), _records(plan, [0.0] * 8)
    down = Failure(stage="media", error="MediaError", message="x")
    shuffled[0] = replace(shuffled[0], outcome=Outcome.FAILED, value=None, failure=down)
    ordered[1] = replace(ordered[1], value=None)
    found = measure_task(GAIN, plan, plan, (ordered, shuffled[:-1]))
    assert found.total.value == pytest.approx(100)
    assert found.total.n == 5
    assert found.left_out == {"failed": 1, "left out by the scorer": 1, "no record": 1}


def test_without_a_pair_there_is_no_figure():
    """All of it failed, and says so."""
    plan = _plan(2)
    failed = [replace(r, outcome=Outcome.FAILED, value=None) for r in _records(plan, [0.0] * 2)]
    found = measure_task(GAIN, plan, plan, (_records(plan, [1.0] * 2), failed))
    assert found.total is None
    assert found.left_out == {"failed": 2}


def test_one_video_has_a_difference_without_an_interval():
    """It does not show how much videos differ."""
    plan = _plan(2)
    records = _records(plan, [1.0] * 2), _records(plan, [0.0] * 2)
    found = measure_task(GAIN, plan, plan, records)
    assert (found.total.value, found.total.ci95) == (100, None)


def test_repeats_of_a_question_are_averaged_before_they_are_compared():
    """Two repeats, one of them right: 0.5 against 0."""
    plan = _plan(4)
    first, second = _records(plan, [1.0] * 4), _records(plan, [0.0] * 4)
    repeats = [*first, *(replace(r, repeat=1) for r in second)]
    zero = [*second, *(replace(r, repeat=1) for r in second)]
    assert measure_task(GAIN, plan, plan, (repeats, zero)).total.value == pytest.approx(50)


def test_agreement_counts_the_same_text_whatever_its_letter():
    """Options yes and no are exchanged: B after A is the same text, A after A is the same place."""
    plan = _plan(4)
    moved = replace(plan, samples=tuple(rotate_options(s, 1) for s in plan.samples))
    before, after = _answers(plan, list("AAAB")), _answers(moved, list("BBAB"))
    found = measure_task(AGREEMENT, plan, moved, (before, after))
    assert found.total.value == pytest.approx(50)
    assert found.total.n == 4


def test_an_answer_that_names_no_option_is_no_disagreement():
    """It is left out and counted, on whichever side it is."""
    plan = _plan(4)
    moved = replace(plan, samples=tuple(rotate_options(s, 1) for s in plan.samples))
    before = _answers(plan, ["A", None, "A", "perhaps"])
    after = _answers(moved, ["B", "A", None, "A"])
    found = measure_task(AGREEMENT, plan, moved, (before, after))
    assert (found.total.value, found.total.n) == (100, 1)
    assert found.left_out == {"no option named": 3}


def test_agreement_is_over_the_questions_whose_options_moved():
    """Two of four could be asked; the other two are no part of it."""
    plan = _plan(4)
    moved = replace(plan, samples=tuple(rotate_options(s, 1) for s in plan.samples[:2]))
    found = measure_task(
        AGREEMENT, plan, moved, (_answers(plan, list("ABAB")), _answers(moved, list("BA")))
    )
    assert (found.total.value, found.total.n) == (100, 2)
    assert not found.left_out
