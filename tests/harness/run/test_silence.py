"""A model that says nothing is told from one that is wrong."""

import pytest

from harness.run.silence import find_silence
from harness.schema import Outcome, Record


def record(number: int, text: str | None, task: str = "t", outcome=Outcome.NO_ANSWER) -> Record:
    return Record(
        id=f"{task}/{number}", task=task, variant="ordered", cluster="c", category="c",
        outcome=outcome, value=0.0, answer=None, gold="A", scorer="official@1", text=text,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["", "  ", "\n"], "every answer (3 of 3) is empty"),
        ([""], "every answer (1 of 1) is empty"),
        (["!" * 512, "!" * 512], "is empty or '!' over and over"),
        (["", "!" * 512], "is empty or '!' over and over"),
    ],
)
def test_a_task_without_a_word_is_named(texts, said):
    """What NaN logits, a first end token and zeroed weights look like."""
    (line,) = find_silence([record(n, text) for n, text in enumerate(texts)])
    assert line.startswith("t: ")
    assert said in line


@pytest.mark.parametrize("texts", [["", "A"], ["A", "A"], ["11", "11"], ["!!!", ""], ["<think>"]])
def test_one_word_is_enough(texts):
    """Short answers that are all alike are answers."""
    assert find_silence([record(n, text) for n, text in enumerate(texts)]) == []


def test_failed_items_are_no_answers_and_tasks_are_told_apart():
    """A run of failures is reported as such; a silent task beside a sound one is named."""
    failed = [record(n, None, "x", Outcome.FAILED) for n in range(3)]
    assert find_silence(failed) == []
    (line,) = find_silence([*failed, record(0, "", "x"), record(0, "A", "y", Outcome.CORRECT)])
    assert line.startswith("x: every answer (1 of 1)")
