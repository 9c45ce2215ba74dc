"""The option that a reply chooses is read as a careful reader reads it, or not at all."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.schema import Kind, Outcome, Sample
from harness.scoring.flexible.choices import RULES, read_choice
from harness.scoring.flexible.score import score_flexible
from harness.scoring.reasoning.split import split

MOVES = ("moving left", "moving right", "staying still", "turning around")
COUNTS = ("2", "3", "4", "5")
COLOURS = ("red", "blue", "green", "yellow")
ANIMALS = ("a dog", "a cat", "a horse", "a cow", "a pig", "a goat", "a sheep", "a hen", "a duck")
YES_NO = ("yes", "no")
SENTENCES = (
    "The man opens the door",
    "The man closes the door",
    "A man knocks on the door",
    "None of the above",
)


@pytest.mark.parametrize(
    ("options", "text", "letter"),
    [
        (MOVES, "B.", "B"),
        (MOVES, "b)", "B"),
        (MOVES, "(b)", "B"),
        (MOVES, " B \n", "B"),
        (MOVES, "[B]", "B"),
        (MOVES, "<B>", "B"),
        (MOVES, "B, moving right", "B"),
        (MOVES, "B: moving right", "B"),
        (MOVES, "B - moving right", "B"),
        (MOVES, "**B. moving right**", "B"),
        (MOVES, "**(B)**", "B"),
        (MOVES, "`B`", "B"),
        (MOVES, "_B_", "B"),
        (MOVES, "Ｂ", "B"),
        (MOVES, "B）", "B"),
        (MOVES, '"B"', "B"),
        (MOVES, "'B'", "B"),
        (MOVES, "$B$", "B"),
        (MOVES, "\\(B\\)", "B"),
        (MOVES, "\\text{B}", "B"),
        (MOVES, "option b", "B"),
        (MOVES, "Choice B.", "B"),
        (MOVES, "### B", "B"),
        (MOVES, "- B", "B"),
        (MOVES, "> B", "B"),
        (MOVES, "BB", None),
        (MOVES, "ABCD", None),
        (MOVES, "A B C D", None),
        (MOVES, "The answer is B", "B"),
        (MOVES, "the answer is b.", "B"),
        (MOVES, "Answer - B", "B"),
        (MOVES, "ANSWER: B", "B"),
        (MOVES, "Answer:B", "B"),
        (MOVES, "Answer = B", "B"),
        (MOVES, "My answer would be option (B).", "B"),
        (MOVES, "The correct choice would be B because it moves to the right.", "B"),
        (MOVES, "I'd go with B.", "B"),
        (MOVES, "I choose (B) moving right.", "B"),
        (MOVES, "I would say B", "B"),
        (MOVES, "We pick B here.", "B"),
        (MOVES, "It must be B.", "B"),
        (MOVES, "Thus, B.", "B"),
        (MOVES, "Hence the answer: B", "B"),
        (MOVES, "Therefore, option B is correct.", "B"),
        (MOVES, "B is the correct answer.", "B"),
        (MOVES, "(B) seems to be the most plausible option.", "B"),
        (MOVES, "Option B best describes the video.", "B"),
        (MOVES, "The ball moves right, which is option B.", "B"),
        (MOVES, "This matches option B.", "B"),
        (MOVES, "This corresponds to choice (B).", "B"),
        (MOVES, "The most accurate answer from the options given is B.", "B"),
        (MOVES, "The option that best describes the motion is (B).", "B"),
        (MOVES, 'Among the options, the best answer is "B. moving right".', "B"),
        (MOVES, "Correct answer: **B**", "B"),
        (MOVES, "**Correct Answer:** (B) moving right", "B"),
        (MOVES, "Final answer: B\n", "B"),
        (MOVES, "**Final Answer**\n\nB", "B"),
        (MOVES, "## Answer\nB", "B"),
        (MOVES, "The final answer is: $\\boxed{\\text{(B)}}$", "B"),
        (MOVES, "$$\\boxed{B. \\text{moving right}}$$", "B"),
        (MOVES, "\\boxed{b}", "B"),
        (MOVES, "\\boxed{\\mathbf{B}}", "B"),
        (MOVES, "The answer is therefore B", "B"),
        (MOVES, "The answer is most likely B.", "B"),
        (MOVES, "The answer is likely (B), moving right.", "B"),
        (MOVES, "The answer is A. Wait, actually the answer is B.", "B"),
        (MOVES, "At first I thought A. But the answer is B.", "B"),
        (MOVES, "Answer: A\nHmm, no.\nAnswer: B", "B"),
        (MOVES, "<answer>A</answer> no, <answer>B</answer>", "B"),
        (MOVES, "\\boxed{A} ... correction: \\boxed{B}", "B"),
        (MOVES, "A ball rolls to the right.", "B"),
        (MOVES, "A ball is moving right.", "B"),
        (MOVES, "A person says the answer is B.", "B"),
        (MOVES, "I see a ball. It is moving right.", "B"),
        (MOVES, "As seen, the ball moves to the left and then stops, B", "B"),
        (ANIMALS, "I think it is a duck.", "I"),
        (ANIMALS, "I believe the answer is C.", "C"),
        (ANIMALS, "The answer is I.", "I"),
        (ANIMALS, "I cannot tell.", None),
        (ANIMALS, "I.", "I"),
        (ANIMALS, "I", "I"),
        (ANIMALS, "A", "A"),
        (ANIMALS, "A dog runs.", "A"),
        (ANIMALS, "A cat.", "B"),
        (ANIMALS, "The answer is a cat.", "B"),
        (ANIMALS, "A hen, then?", "H"),
        (MOVES, "It is not A. It is B.", "B"),
        (MOVES, "Not A, but B.", "B"),
        (MOVES, "B, not A.", "B"),
        (MOVES, "B rather than A.", "B"),
        (MOVES, "Rather than A, the answer is B.", "B"),
        (MOVES, "The answer is B instead of A.", "B"),
        (MOVES, "A and C are incorrect, so B.", "B"),
        (MOVES, "Options A, C and D can be ruled out. The answer must be B.", "B"),
        (MOVES, "Neither A nor C is right; the answer is B.", "B"),
        (MOVES, "The ball isn't moving left, it's moving right.", "B"),
        (MOVES, "The ball is moving right, not left.", "B"),
        (MOVES, "The ball is not staying still.", None),
        (MOVES, "It can't be A.", None),
        (MOVES, "A is wrong.", None),
        (MOVES, "The answer is not B.", None),
        (MOVES, "B is not correct.", None),
        (MOVES, "A or B", None),
        (MOVES, "Either (A) or (B).", None),
        (MOVES, "The answer is A or B.", None),
        (MOVES, "Both A and B are correct.", None),
        (MOVES, "A, B", None),
        (MOVES, "It could be A, B or C.", None),
        (MOVES, "The answer is A/B.", None),
        (MOVES, "Answer: A and B", None),
        (MOVES, "The ball is moving left or moving right.", None),
        (MOVES, "I'm sorry, I cannot answer that.", None),
        (MOVES, "None of the options is correct.", None),
        (MOVES, "Unable to determine.", None),
        (MOVES, "There is no video.", None),
        (MOVES, "Please provide the video.", None),
        (MOVES, "As an AI model, I can't watch videos.", None),
        (MOVES, "N/A", None),
        (MOVES, "F", None),
        (MOVES, "The answer is E.", None),
        (MOVES, "Answer:", None),
        (MOVES, "Answer: None", None),
        (MOVES, "A. moving left\nB. moving right\nC. staying still\nD. turning around", None),
        (
            MOVES,
            "Options:\nA. moving left\nB. moving right\nC. staying still\nD. turning around\n\nThe answer is B.",  # noqa: E501 - a reply as it comes
            "B",
        ),
        (
            MOVES,
            "B\n\nOptions: A. moving left\nB. moving right\nC. staying still\nD. turning around",
            "B",
        ),
        (
            MOVES,
            "Let's look at each option:\nA. moving left - no, it does not.\nB. moving right - yes, it ends right.\nC. staying still - no.\nD. turning around - no.\nTherefore the answer is B.",  # noqa: E501 - a reply as it comes
            "B",
        ),
        (
            MOVES,
            "Answer: B\n\nExplanation: A is wrong because the ball is not on the left. C and D are wrong, too.",  # noqa: E501 - a reply as it comes
            "B",
        ),
        (MOVES, "B. The other options: A says left, C says still, D says turning.", "B"),
        (MOVES, "moving right", "B"),
        (MOVES, "Moving right.", "B"),
        (MOVES, "moves to the right", "B"),
        (MOVES, "The ball moves to the right.", "B"),
        (MOVES, "It's turning around.", "D"),
        (MOVES, "right", "B"),
        (MOVES, "The ball seems to be staying still.", "C"),
        (MOVES, "\\boxed{moving right}", "B"),
        (MOVES, "<answer>moving right</answer>", "B"),
        (COLOURS, "blue", "B"),
        (COLOURS, "Blue.", "B"),
        (COLOURS, "The car is blue.", "B"),
        (COLOURS, "It's a blue car on a green field.", None),
        (COLOURS, "The answer is blue.", "B"),
        (COLOURS, "The car is not red but blue.", "B"),
        (COUNTS, "3", "B"),
        (COUNTS, "three", "B"),
        (COUNTS, "There are three chairs.", "B"),
        (COUNTS, "The answer is 3.", "B"),
        (COUNTS, "B. 3", "B"),
        (COUNTS, "(B) 3", "B"),
        (COUNTS, "12", None),
        (COUNTS, "\\boxed{3}", "B"),
        (YES_NO, "Yes.", "A"),
        (YES_NO, "No", "B"),
        (YES_NO, "Yes, the man is not dunking.", "A"),
        (YES_NO, "No, it does not.", "B"),
        (YES_NO, "The answer is no.", "B"),
        (YES_NO, "A", "A"),
        (YES_NO, "B. no", "B"),
        (YES_NO, "Not sure.", None),
        (YES_NO, "Nobody is there", None),
        (SENTENCES, "A man knocks on the door.", "C"),
        (SENTENCES, "A. The man opens the door", "A"),
        (SENTENCES, "The man closes the door.", "B"),
        (SENTENCES, "The man is closing the door", "B"),
        (SENTENCES, "None of the above.", "D"),
        (SENTENCES, "Answer: A man knocks on the door", "C"),
        (SENTENCES, "The answer is A man knocks on the door.", "C"),
        (SENTENCES, "A", "A"),
        (MOVES, "答案是B", "B"),
        (MOVES, "正确答案：B", "B"),
        (MOVES, "选项B", "B"),
        (MOVES, "故选：B", "B"),
        (MOVES, "答案为（B）", "B"),
        (MOVES, "B。", "B"),
        (MOVES, "我选择B", "B"),
        (MOVES, "Die Antwort ist B.", "B"),
        (MOVES, "La respuesta correcta es B.", "B"),
        (MOVES, "La réponse est (B).", "B"),
        (
            MOVES,
            "The video shows a ball. Initially it is at the left edge. Over time it travels across the frame and ends at the right edge. This shows that the ball is moving right.",  # noqa: E501 - a reply as it comes
            "B",
        ),
        (MOVES, "The ball moves from the left edge to the right edge, so it is moving right.", "B"),
        (
            MOVES,
            "Looking at the frames: frame 1 shows A at left; frame 2 shows B. So the answer is (B).",  # noqa: E501 - a reply as it comes
            "B",
        ),
        (MOVES, '{"answer": "B"}', "B"),
        (MOVES, 'answer: "B"', "B"),
        (MOVES, '{"choice": "B", "reason": "A is wrong"}', "B"),
        (MOVES, "B\n\nB. moving right", "B"),
        (MOVES, "Option (B): moving right", "B"),
        (MOVES, "option B: The ball is moving right.", "B"),
        (MOVES, "B. moving left", None),
        (MOVES, "Sure! The answer is B.", "B"),
        (MOVES, "Great question. Considering everything, I'm going with B!", "B"),
        (MOVES, "Vitamin A is shown.", None),
        (MOVES, "Plan B is shown in the video", None),
        (MOVES, "USB", None),
        (MOVES, "The A-team wins. B", "B"),
    ],
)
def test_replies_are_read_as_a_reader_reads_them(options, text, letter):
    """Letters, statements, negations, hedges, echoes and wordings; several options are none."""
    found = read_choice(split(text).answer, options)
    assert (found.letter if found else None) == letter


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        (
            "The answer is B. To recap: A would be moving left, C staying still, D turning around.",
            "B",
        ),
        (
            "B\n\nRecap: A. moving left (wrong), B. moving right (right), C. staying still (wrong), D. turning around (wrong)",  # noqa: E501 - a reply as it comes
            "B",
        ),
        (
            "The answer is B.\n\nSummary of the options:\nA. moving left: no\nB. moving right: yes\nC. staying still: no\nD. turning around: no",  # noqa: E501 - a reply as it comes
            "B",
        ),
        ("It shows B rather than A.", "B"),
        ("It is moving right rather than moving left.", "B"),
        ("B as opposed to A.", "B"),
        ("I'd choose B over A.", "B"),
        ("Between A and B, I choose B.", "B"),
        ("Between A and B, B is better.", "B"),
        ("Answer: (B) moving right", "B"),
        ("Answer:\nB", "B"),
        ("Answer\nB", "B"),
        ("The answer:\n\n**B**", "B"),
        ("**B**\n\n**Explanation:** A shows left.", "B"),
        ("**Option B: moving right**", "B"),
        ("**B) moving right**", "B"),
        ("B)", "B"),
        ("(B).", "B"),
        ("B;", "B"),
        ("b. moving right", "B"),
        ("b: moving right", "B"),
        ("[[B]]", "B"),
        ("{B}", "B"),
        ("<B>", "B"),
        ("<option>B</option>", "B"),
        ("<choice>B</choice>", "B"),
        ("The correct option is <B>.", "B"),
        ("\\boxed{\\text{(B) moving right}}", "B"),
        ("\\boxed{(B)}", "B"),
        ("$\\boxed{\\textbf{B}}$", "B"),
        ("\\boxed{B}.", "B"),
        ("\\boxed{\\mathrm{B}}", "B"),
        ("\\boxed {B}", "B"),
        ("\\[ \\boxed{B} \\]", "B"),
        ("boxed{B}", "B"),
        ("\\boxed{Option B}", "B"),
        ("\\boxed{B. moving right}", "B"),
        ("\\boxed{A}\nWait, that is wrong.\n\\boxed{B}", "B"),
        ("The final answer is (B)", "B"),
        ("The final answer is: (B).", "B"),
        ("Final Answer: B. moving right", "B"),
        ("final answer:B", "B"),
        ("Final choice: B", "B"),
        ("My final choice is B", "B"),
        ("My choice: B", "B"),
        ("Choice: B", "B"),
        ("Selected option: B", "B"),
        ("Prediction: B", "B"),
        ("Result: B", "B"),
        ("Output: B", "B"),
        ("Response: B", "B"),
        ("Ans: B", "B"),
        ("Ans. B", "B"),
        ("A: B", "B"),
        ("So, the answer should be B", "B"),
        ("Thus the correct answer is option (B).", "B"),
        ("Hence, (B) is correct.", "B"),
        ("Therefore the ball is moving right (B).", "B"),
        ("This means the answer is B", "B"),
        ("This indicates option B.", "B"),
        ("The video best matches B.", "B"),
        ("I am confident that it is B.", "B"),
        ("It's B.", "B"),
        ("it's b", "B"),
        ("B it is", "B"),
        ("Definitely B", "B"),
        ("Probably B.", "B"),
        ("B?", "B"),
        ("B!", "B"),
        ("Option (B)", "B"),
        ("option: B", "B"),
        ("The answer would be (B).", "B"),
        ("Yes, B.", "B"),
        ("Correct: B", "B"),
        ("B ✓", "B"),
        ("✅ B", "B"),
        ("👉 B", "B"),
        ("B 👍", "B"),
        ("The answer is **B**, moving right.", "B"),
        ('The answer is "B".', "B"),
        ("The answer is 'B'.", "B"),
        ("The answer is `B`.", "B"),
        ("The answer is $B$.", "B"),
        ("The answer is \\(B\\).", "B"),
        ("The ball moves rightward.", "B"),
        ("The ball is moving towards the right.", "B"),
        ("moving  right", "B"),
        ("MOVING RIGHT", "B"),
        ("moving-right", "B"),
        ('"moving right"', "B"),
        ("It shows the ball moving right across the table.", "B"),
        ("The motion is to the right.", "B"),
        ("It moves right then left.", None),
        ("Right.", "B"),
        ("left", "A"),
        ("The answer is not C, not D, and not A. It is B.", "B"),
        ("A? No. C? No. D? No. B? Yes.", "B"),
        ("A: No\nB: Yes\nC: No\nD: No", "B"),
        ("A ❌ B ✅ C ❌ D ❌", "B"),
        ("I think A, no wait, B.", "B"),
        ("A... actually B", "B"),
        ("Initially I said A, but B is correct.", "B"),
        ("My first guess was A, but the final answer is B.", "B"),
        ("The correct answer is B, since A shows the ball moving left.", "B"),
        ("B because A is wrong", "B"),
        ("B is right; A is wrong.", "B"),
        ("A is incorrect, B is correct, C is incorrect and D is incorrect.", "B"),
        ("Only B fits.", "B"),
        ("All options except B are wrong.", "B"),
        ("Everything but B is wrong.", "B"),
        ("The answer is C or D", None),
        ("C and D", None),
        ("It might be A, but it might also be B.", None),
        ("A/B", None),
        ("Could be either A or B", None),
        ("I am not sure, A or B.", None),
        ("Not enough information.", None),
        ("None", None),
        ("None of these", None),
        ("?", None),
        ("...", None),
        ("The video does not show a ball.", None),
        ("Sorry", None),
        ("E. none", None),
        ("Z", None),
        ("1", None),
        ("Answer: E", None),
        ("the answer is", None),
        ("<answer>\nB\n</answer>", "B"),
        ("<answer>Option B</answer>", "B"),
        ("<answer>(B) moving right</answer>", "B"),
        ("<answer>The answer is B</answer>", "B"),
        ("<answer>\\boxed{B}</answer>", "B"),
        ("<Answer>B</Answer>", "B"),
        ("<ans>B</ans>", "B"),
        ("<answer>E</answer>", None),
        ("<answer>A or B</answer>", None),
        ("<answer>the ball goes right</answer>", "B"),
        ("Answer: <answer>B</answer>. Thanks!", "B"),
        ("<answer>[B]</answer>", "B"),
        ("<answer>B, because A is wrong</answer>", "B"),
        ("正确答案是：B。", "B"),
        ("答案：（B）", "B"),
        ("选择B", "B"),
        ("因此，正确选项为B", "B"),
        ("答え：B", "B"),
        ("정답: B", "B"),
        ("Ответ: B", "B"),
        ("Antwort: B", "B"),
        ("Respuesta: B", "B"),
        ("Réponse : B", "B"),
        ("La risposta è B.", "B"),
        ("In frame A the ball is left. In frame B it is right. The answer is B.", "B"),
        ("Person B moves. The answer is A.", "A"),
        ("Team A and team B play. Option C.", "C"),
        (
            "I believe the correct answer is:\n\nB. moving right\n\nThe ball starts at A and ends at D.",  # noqa: E501 - a reply as it comes
            "B",
        ),
    ],
)
def test_further_habits_are_read(text, letter):
    """Verdicts per option, corrections, exceptions, recaps, notations, languages."""
    found = read_choice(split(text).answer, MOVES)
    assert (found.letter if found else None) == letter


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("<answer>B</answer>", "answer-tag"),
        (r"So \boxed{B}", "boxed"),
        ("<|begin_of_box|>B<|end_of_box|>", "box-tokens"),
        ("b", "only-letter"),
        ("I think the answer is B.", "statement"),
        ("B. It ends right.", "first-letter"),
        ("It goes over there (B) and stops.", "single-letter"),
        ("moving right", "option-alone"),
        ("The best answer is moving right.", "stated-answer"),
        ("It rolls. So it is moving right.", "conclusion"),
        ("The ball is moving right.", "lead"),
        ("Rightwards it rolls.", "telling-words"),
    ],
)
def test_the_rule_that_found_the_answer_is_told(text, rule):
    """Every rule of the table can fire, and says so."""
    assert read_choice(text, MOVES).rule == rule


PIECES = [
    "A",
    "B",
    "D",
    " ",
    "\n",
    ".",
    ",",
    "(",
    ")",
    "**",
    "the answer is ",
    " not ",
    " or ",
    "\\boxed{",
    "}",
    "<answer>",
    "</think>",
    "moving left",
    "moving right",
    " is correct",
    "?",
    "yes",
    "\ud800",
    "\u9009",
    "[BEGIN FINAL RESPONSE]",
    "<|begin_of_box|>",
    "so ",
    "I ",
    "E",
]


@given(st.lists(st.sampled_from(PIECES), max_size=25), st.sampled_from([MOVES, YES_NO, COUNTS]))
def test_any_text_ends_in_an_option_or_none(pieces, options):
    """Whatever a model writes, reading it raises nothing and gives one of the letters."""
    found = read_choice(split("".join(pieces)).answer, options)
    assert found is None or found.letter in "ABCD"[: len(options)]


def test_the_table_of_rules_names_each_once():
    """Names are stored in records, so they are unique and say what is read."""
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.reads for rule in RULES)


def test_yes_and_no_are_read_at_the_beginning_only():
    """Where the options are yes and no, a later no is a word like others."""
    assert read_choice("Yes. There is no doubt.", YES_NO).rule == "yes-or-no"
    assert read_choice("Nothing moves.", YES_NO) is None


def test_labels_of_a_prompt_are_letters():
    """``Option 2`` is B where the prompt calls its options so; a bare 2 is it, too."""
    sample = Sample(
        id="x", task="t", question="q", answer="B", kind=Kind.MULTIPLE_CHOICE, category="c",
        cluster="v", options=("A man runs.", "A man sits."),
    )  # fmt: skip
    labels = ("Option 1", "Option 2")
    for text in ("Option 2", "Option 2: A man sits.", "2", "2.", "The best is option 2."):
        assert score_flexible(sample, text, labels).outcome is Outcome.CORRECT
    for text in ("Option 1", "1", "Option 1: A man runs."):
        assert score_flexible(sample, text, labels).outcome is Outcome.WRONG
    for text in ("3", "Option 1 and option 2", "Option 1: A man sits."):
        assert score_flexible(sample, text, labels).outcome is Outcome.NO_ANSWER


@pytest.mark.parametrize(
    "text",
    ["A, B, " * 20_000, "B " * 40_000, "(A) or " * 20_000, "moving " * 20_000, "**" * 50_000,
     "\\boxed{" * 10_000, "<answer>" * 10_000, "The answer is " * 10_000, "not " * 30_000 + "B",
     "A. x\n" * 20_000, "(" * 100_000, "so " * 40_000],
)  # fmt: skip
def test_endless_replies_are_read_in_linear_time(text):
    """A model that repeats itself until its limit costs no more than a moment of the processor."""
    began = time.process_time()
    read_choice(text, MOVES)
    assert time.process_time() - began < 5
