"""A reply is split into thought and answer, whatever family wrote it."""

import pytest

from harness.scoring.reasoning.marks import NAMED, parse_rule
from harness.scoring.reasoning.split import split
from harness.thoughts import Marks, PromptEnd

OPEN, CLOSED, FREE = PromptEnd.OPEN, PromptEnd.CLOSED, PromptEnd.FREE
THINK = NAMED["think"]


@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        ("<think>Left? No.</think>B", "Left? No.", "B"),
        ("Left? No.\n</think>\n\nB", "Left? No.", "B"),
        ("<think>\n\n</think>\n\nB", None, "B"),
        ("B", None, "B"),
        ("", None, ""),
        ("<THINK>Left?</THINK>B", "Left?", "B"),
        ("<seed:think>A? <seed:cot_budget_reflect>12</seed:cot_budget_reflect></seed:think>B",
         "A? <seed:cot_budget_reflect>12</seed:cot_budget_reflect>", "B"),
        ("[THINK]A? It goes right.[/THINK]It is B.", "A? It goes right.", "It is B."),
        ("<|channel>thought\nA? no.<channel|>B", "A? no.", "B"),
        ("◁think▷A? no.◁/think▷\n\nB", "A? no.", "B"),
        ("<|START_THINKING|>A?<|END_THINKING|>B", "A?", "B"),
        ("<analysis>Simple, so /no_think.</analysis>B", "Simple, so /no_think.", "B"),
        ("<analysis>Hard.</analysis><think>A? no</think><answer>B</answer>",
         "Hard.</analysis><think>A? no", "B"),
        ("<|channel|>analysis<|message|>A?<|end|><|start|>assistant<|channel|>final<|message|>B",
         "A?", "B"),
        ("<|open|>think<|sep|>A?<|close|>think<|sep|>B", "A?", "B"),
        ("Here are my reasoning steps:\nA?\n[BEGIN FINAL RESPONSE]\nB\n[END FINAL RESPONSE]",
         "Here are my reasoning steps:\nA?", "B"),
        ("<reasoning>A?</reasoning><answer>B</answer>", "A?", "B"),
    ],
)  # fmt: skip
def test_each_family_is_read_without_its_template(text, thought, answer):
    """All known marks are tried where the template shows none."""
    found = split(text)
    assert (found.thought, found.answer, found.finished) == (thought, answer, True)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>It moves\n</think>\n\nright: not A.</think>\n\nB", "B"),
        ("<think>He wrote <think> and </think> tags; A? no</think>B", "B"),
        ("<think>a1</think>B<think>a2</think>C", "C"),
        ("<think>a <think> b</think> c</think>B", "B"),
    ],
)
def test_the_answer_is_behind_the_last_closing_mark(text, answer):
    """A forced close, a quoted mark and a second thought do not begin the answer."""
    assert split(text, THINK).answer == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"\boxed{A}<think>Left? No.</think>\boxed{B}", "\\boxed{A}\n\\boxed{B}"),
        (r"\boxed{A}<think>Left it is.</think>", r"\boxed{A}"),
        ("<answer>A</answer><think>Left it is.</think>\n", "A"),
        ("Sure. <think>Left? No.</think>B", "B"),
        ("B<think>and now", "B"),
    ],
)
def test_an_answer_may_stand_before_the_thought(text, answer):
    """VideoAuto-R1 answers first; the box before the thought stays readable, the last one wins."""
    if text.endswith("now"):
        assert not split(text).finished
    else:
        assert split(text).answer == answer


@pytest.mark.parametrize(
    "text",
    ["<think>Option A says left", "◁think▷A is left. The ball", r"\boxed{A}<think>Let me see",
     "<|channel>thought\nA", "[THINK]B", "<analysis>B"],
)  # fmt: skip
@pytest.mark.parametrize("prompt_end", [OPEN, CLOSED, FREE, None])
def test_an_open_thought_has_no_answer(text, prompt_end):
    """Whatever letters an unfinished thought holds, none of them is an answer."""
    found = split(text, None, prompt_end)
    assert (found.answer, found.finished) == ("", False)
    assert found.thought


def test_the_prompt_decides_what_a_bare_letter_is():
    """The text alone cannot tell: B is an answer, or a thought where the template opened one."""
    assert split("B", THINK, FREE).answer == split("B", THINK, CLOSED).answer == "B"
    inside = split("B", THINK, OPEN)
    assert (inside.answer, inside.thought, inside.finished) == ("", "B", False)


def test_a_model_may_repeat_the_mark_that_the_template_wrote():
    """The second opening mark belongs to neither thought nor answer."""
    found = split("<think>Left?</think>B", THINK, OPEN)
    assert (found.thought, found.answer) == ("Left?", "B")


def test_a_second_thought_that_was_cut_leaves_the_answer_before_it():
    """What stands between the thoughts is the answer; both thoughts are kept."""
    found = split("<think>a</think>B<think>and then", THINK)
    assert (found.answer, found.finished) == ("B", True)
    assert "and then" in found.thought
    assert not split("<think>a</think>\n<think>and then", THINK).finished


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>x</think><answer>A</answer> Wait. <answer>B</answer>", "B"),
        ("<think>x</think><answer>B", "B"),
        ("<think>x</think><answer></answer>", ""),
        ("<think>x</think><answer><|begin_of_box|>B<|end_of_box|></answer>", "B"),
        ("<think>x</think>It is <|begin_of_box|>B<|end_of_box|>.", "B"),
        ("<think>x</think><response>\nB\n</response>\n", "B"),
        ("x</think>B</answer>", "B"),
    ],
)
def test_wrappers_of_the_answer_are_taken_off(text, answer):
    """Answer tags, boxes and responses hold the answer; the last pair counts."""
    assert split(text).answer == answer


def test_the_end_of_the_thought_is_told():
    """Tokens of the thought are counted up to there."""
    text = "<think>Left?</think>B"
    assert split(text).end == len(text) - 1
    assert split("B").end == 0
    assert split("<think>Left", THINK).end == len("<think>Left")


@pytest.mark.parametrize("text", ["Turn one ends.<|end|>B", "x<|eom|>B"])
def test_a_mark_that_ends_turns_closes_no_thought_alone(text):
    """``<|end|>`` closes a thought only behind the mark that opens it."""
    assert split(text).thought is None


@pytest.mark.parametrize(
    ("rule", "marks"),
    [("think", THINK), ("kimi", Marks("◁think▷", "◁/think▷")), ("auto", None), ("in-text", None),
     ("<t>...</t>", Marks("<t>", "</t>")), ("...[FINAL]", Marks("", "[FINAL]"))],
)  # fmt: skip
def test_marks_have_names_or_are_written_out(rule, marks):
    """A user names a family or writes OPEN...CLOSE."""
    assert parse_rule(rule) == marks


@pytest.mark.parametrize("rule", ["thinks", "<t>", "<t>...", "<t>...<t>", "", "Auto"])
def test_an_unknown_rule_is_refused_with_the_known_ones(rule):
    """The message lists the names."""
    with pytest.raises(ValueError, match=r"auto, in-text, one of think|same text"):
        parse_rule(rule)
