"""A model that says nothing is told from one that is wrong."""

from dataclasses import replace

import pytest

from harness.run.silence import find_lost_answers, find_silence
from harness.schema import Outcome, Record
from harness.thoughts import ThoughtEnd


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


def test_a_task_whose_thoughts_never_end_is_named_with_the_remedy():
    """Cut at the limit: more tokens. Kept by the server: its parser does not fit the model."""
    cut = [replace(record(n, ""), thought_end=ThoughtEnd.NEVER, reasoning="x") for n in range(3)]
    kept = [replace(record(n, ""), thought_end=ThoughtEnd.KEPT, reasoning="B") for n in range(3)]
    assert "raise --max-tokens" in find_lost_answers(cut)[0]
    assert "--reasoning-parser" in find_lost_answers(kept)[0]
    assert find_silence(kept) == []


def test_one_answer_behind_a_thought_is_enough():
    """Some thoughts are cut in every run."""
    cut = replace(record(0, ""), thought_end=ThoughtEnd.NEVER)
    assert find_lost_answers([cut, record(1, "B")]) == []
    assert find_lost_answers([]) == []
