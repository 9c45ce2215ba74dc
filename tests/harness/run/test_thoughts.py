"""Every answer passes through one split before a scorer reads it."""

from dataclasses import replace

import pytest

from harness.run.plan import PlannedTask
from harness.run.record import make_record
from harness.run.thoughts import split_thought
from harness.schema import Completion, Kind, Outcome, Sample
from harness.scoring.reasoning.marks import AUTO, IN_TEXT, NAMED
from harness.task import registry
from harness.thoughts import PromptEnd, ThoughtEnd

THINK = NAMED["think"]
SAMPLE = Sample(
    id="mvbench/x/0", task="mvbench", question="Where does it roll?", answer="B",
    kind=Kind.MULTIPLE_CHOICE, category="x", cluster="v", options=("moving left", "moving right"),
)  # fmt: skip


def planned(task, scorer, reasoning=IN_TEXT):
    protocol = replace(
        task.protocol("official"), scorer=task.scorers[scorer].tag, reasoning=reasoning
    )
    return PlannedTask(
        selection=task.name, task=task, protocol=protocol, scorer=task.scorers[scorer],
        samples=(SAMPLE,), fingerprint="none",
    )  # fmt: skip


def answer(text, **fields):
    return Completion(**{"text": text, "finish_reason": "stop", **fields})


def test_in_text_leaves_the_text_alone():
    """``video-r1`` scores what the model wrote, thought and tags included."""
    given = answer("<think>A?</think><answer>B</answer>", marks=THINK, prompt_end=PromptEnd.OPEN)
    assert split_thought(given, IN_TEXT) == given


def test_thought_and_answer_are_parted():
    """The thought stands beside the text that is scored, and its tokens are counted."""
    # <think> A? </think> B: four tokens, three of them up to the end of the thought.
    text = "<think>A?</think>B"
    found = split_thought(answer(text, token_ends=(7, 9, 17, 18)), AUTO)
    assert (found.text, found.reasoning, found.reasoning_tokens) == ("B", "A?", 3)
    assert found.thought_end is ThoughtEnd.CLOSED


def test_an_answer_without_a_thought_has_none():
    """No thought, no tokens of it."""
    found = split_thought(answer("B", token_ends=(1,)), AUTO)
    assert (found.text, found.reasoning, found.reasoning_tokens) == ("B", None, 0)
    assert found.thought_end is None


@pytest.mark.parametrize(
    ("finish", "outcome"), [("length", Outcome.TRUNCATED), ("stop", Outcome.NO_ANSWER)]
)
@pytest.mark.parametrize(
    "given",
    [
        answer("B", marks=THINK, prompt_end=PromptEnd.OPEN),
        answer("<think>It is B"),
        answer("", reasoning="It is B"),
        answer("\n", reasoning="It is B"),
        answer("It is B", marks=NAMED["apriel"], prompt_end=PromptEnd.OPEN),
    ],
)
@pytest.mark.parametrize("scorer", ["official", "flexible", "video-r1", "official+answer"])
def test_an_open_thought_is_worth_nothing_under_every_scorer(given, finish, outcome, scorer):
    """Cut at the limit it is truncated, else no answer; never failed, never read."""
    asked = planned(registry.get("mvbench"), scorer, reasoning=AUTO)
    record = make_record(asked, SAMPLE, replace(given, finish_reason=finish))
    assert (record.outcome, record.value, record.answer) == (outcome, 0.0, None)
    assert record.failure is None
    assert "B" in record.reasoning


def test_a_server_that_kept_a_whole_reply_is_told_apart():
    """Reasoning alone although the model stopped by itself: the record names it."""
    kept = split_thought(answer("", reasoning="B"), IN_TEXT)
    cut = split_thought(answer("", reasoning="B", finish_reason="length"), IN_TEXT)
    assert (kept.thought_end, cut.thought_end) == (ThoughtEnd.KEPT, ThoughtEnd.NEVER)


def test_what_a_server_split_off_is_kept():
    """The server's thought and one that its parser left in the text stand together."""
    found = split_thought(answer("more</think>B", reasoning="It goes right."), AUTO)
    assert (found.text, found.reasoning) == ("B", "It goes right.\n\nmore")
    plain = split_thought(answer("B", reasoning="Right.", reasoning_tokens=2), AUTO)
    assert (plain.text, plain.reasoning_tokens, plain.thought_end) == ("B", 2, ThoughtEnd.CLOSED)


def test_a_refusal_is_no_thought():
    """What a server sends for a refusal stays as it is."""
    given = answer("<think>no", refused=True, finish_reason="refusal")
    assert split_thought(given, AUTO) == given


@pytest.mark.parametrize("scorer", ["official", "flexible", "video-r1", "official+answer"])
@pytest.mark.parametrize("text", ["B", "(B) moving right", "A", "<answer>B</answer>"])
def test_scores_are_those_of_the_same_answers_without_thoughts(scorer, text):
    """A thought before the answer changes nothing, whatever letters it names."""
    asked = planned(registry.get("mvbench"), scorer, reasoning=AUTO)
    bare = make_record(asked, SAMPLE, answer(text))
    for thought in ("<think>A? C? D.</think>", "A.\n</think>\n\n", "◁think▷A◁/think▷"):
        thinking = make_record(asked, SAMPLE, answer(thought + text))
        assert (thinking.outcome, thinking.value, thinking.answer) == (
            bare.outcome, bare.value, bare.answer,
        )  # fmt: skip


def test_the_rule_that_found_the_answer_is_recorded():
    """``flexible`` says how it read; other scorers have one way."""
    sample, task = SAMPLE, registry.get("mvbench")
    read = make_record(planned(task, "flexible"), sample, answer("The answer is B."))
    assert (read.rule, read.answer) == ("statement", "B")
    assert make_record(planned(task, "official"), sample, answer("B")).rule is None
