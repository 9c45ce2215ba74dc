"""From records to the figures of a task."""

from dataclasses import replace

from harness.run.summary import summarise
from harness.schema import Outcome
from harness.task.api import (
    Aggregation,
    Scorer,
)
from tests.toys import MICRO, planned, record, sample


def _summary(records, expected=4, aggregation=MICRO):
    scorer = Scorer(name="s", version=2, score=lambda s, t: None, aggregation=aggregation)
    asked = replace(planned([sample(number) for number in range(expected)]), scorer=scorer)
    return summarise(asked, {"toy": records})


def test_failed_items_are_counted_and_left_out_of_the_mean():
    """A failure says nothing about the model: it is shown, not scored as wrong."""
    summary = _summary([record(0), record(1, 0.0, Outcome.WRONG), record(2, None, Outcome.FAILED)])
    assert summary.score == 50.0
    assert summary.outcomes["failed"] == 1
    assert (summary.n, summary.n_scored, summary.missing, summary.dropped) == (4, 2, 1, 0)


def test_items_that_the_rule_drops_are_counted_apart():
    """A dropped answer shrinks the denominator and the summary says by how many."""
    summary = _summary([record(0), record(1, None, Outcome.NO_ANSWER)], expected=2)
    assert summary.score == 100.0
    assert summary.dropped == 1


def test_no_answer_and_truncation_stay_in_the_denominator():
    """They are worth 0, unlike failures."""
    records = [record(0), record(1, 0.0, Outcome.NO_ANSWER), record(2, 0.0, Outcome.TRUNCATED)]
    assert round(_summary(records, expected=3).score, 3) == 33.333


def test_nothing_scored_has_no_score():
    """A task whose every item failed has no score, not 0."""
    summary = _summary([record(0, None, Outcome.FAILED)], expected=1)
    assert summary.score is None
    assert summary.ci95 is None


def test_breakdown_has_categories_margins_and_groups_of_the_tree():
    """Prefixes, ``*`` margins and the aggregation's own groups each get a line."""
    import dataclasses

    records = [
        dataclasses.replace(record(n), category=c, value=v)
        for n, (c, v) in enumerate([("p/x", 1.0), ("p/y", 0.0), ("q/x", 0.0), ("q/x", 0.0)])
    ]
    means = Aggregation(name="tree", levels=lambda category: ("g", category))
    breakdown = _summary(records, aggregation=means).breakdown
    assert breakdown["p"]["score"] == 50.0
    assert breakdown["p"]["ci95_low"] is None  # one video does not show how much videos differ
    assert 0 <= breakdown["g"]["ci95_low"] < breakdown["g"]["score"]
    assert breakdown["q/x"]["n"] == 2
    assert round(breakdown["*/x"]["score"], 3) == 33.333
    assert round(breakdown["g"]["score"], 3) == 33.333  # mean of p/x 100, p/y 0, q/x 0
