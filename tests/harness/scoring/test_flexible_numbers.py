"""The number that a reply answers with is read as a careful reader reads it, or not at all."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.schema import Kind, Outcome, Sample
from harness.scoring.flexible.quantities import RULES, read_quantity
from harness.scoring.flexible.score import score_flexible
from harness.scoring.reasoning.split import split

CENTIMETERS = "What is the height of the table in centimeters?"
METERS = "What is the distance between the sofa and the door (in meters)?"
SQUARE_METERS = "What is the size of this room (in square meters)?"
COUNT = "How many chairs are there?"
SECONDS = "How many seconds does it take?"


@pytest.mark.parametrize(
    ("question", "text", "value"),
    [
        (COUNT, "3", 3),
        (COUNT, "3.", 3),
        (COUNT, "3 chairs", 3),
        (COUNT, "three chairs", 3),
        (COUNT, "Three.", 3),
        (COUNT, "twelve", 12),
        (COUNT, "twenty", 20),
        (COUNT, "twenty-one", 21),
        (COUNT, "zero", 0),
        (COUNT, "There is one chair.", 1),
        (COUNT, "one", 1),
        (COUNT, "**3**", 3),
        (COUNT, "(3)", 3),
        (COUNT, "Answer: 3", 3),
        (COUNT, "The answer is three.", 3),
        (COUNT, "<answer>3</answer>", 3),
        (COUNT, "<answer>three chairs</answer>", 3),
        (COUNT, "\\boxed{3}", 3),
        (COUNT, "$3$", 3),
        (COUNT, "\\boxed{3\\text{ chairs}}", 3),
        (COUNT, "\\boxed{\\frac{3}{4}}", 0.75),
        (COUNT, "3/4", 0.75),
        (COUNT, "1 1/2", 1.5),
        (COUNT, "½", 0.5),
        (METERS, "2½ m", 2.5),
        (COUNT, "1,250", 1250),
        (COUNT, "1,250.5", 1250.5),
        (COUNT, "12,345,678", 12345678),
        (COUNT, "1.250,5", 1250.5),
        (COUNT, "2,5", 2.5),
        (METERS, "2,50 m", 2.5),
        (COUNT, "0,125", 0.125),
        (COUNT, "1'250", 1250),
        (COUNT, "1.5e2", 150),
        (COUNT, "1.5 × 10^2", 150),
        (COUNT, "1.5 \\times 10^{2}", 150),
        (COUNT, "-3", -3),
        (COUNT, "minus three", -3),
        (COUNT, ".5", 0.5),
        (COUNT, "50 %", 50),
        (COUNT, "50 percent", 50),
        (METERS, "2.5 m", 2.5),
        (METERS, "2.5m", 2.5),
        (METERS, "250 cm", 2.5),
        (METERS, "about 2.5 meters", 2.5),
        (METERS, "approximately 2.5", 2.5),
        (METERS, "~2.5 m", 2.5),
        (METERS, "≈ 2.5 m", 2.5),
        (CENTIMETERS, "1.2 m", 120),
        (CENTIMETERS, "1.2 m (120 cm)", 120),
        (CENTIMETERS, "120 cm (1.2 m)", 120),
        (CENTIMETERS, "120cm", 120),
        (CENTIMETERS, "47 inches", 119.38),
        (CENTIMETERS, "The table is about 120 cm tall.", 120),
        (SQUARE_METERS, "20 square meters", 20),
        (SQUARE_METERS, "20 m^2", 20),
        (SQUARE_METERS, "20 m²", 20),
        (SQUARE_METERS, "20 m2", 20),
        (SQUARE_METERS, "20 sq m", 20),
        (SQUARE_METERS, "5 m x 4 m = 20 square meters", 20),
        (SQUARE_METERS, "The room is 5 m by 4 m, so its area is 20 square meters.", 20),
        (SQUARE_METERS, "215 square feet", 19.9741536),
        (METERS, "The distance is 2.5 meters.", 2.5),
        (METERS, "The distance between the sofa and the door is approximately 2.5 m.", 2.5),
        (METERS, "The sofa is 2.5 meters away from the door.", 2.5),
        (COUNT, "I count 3 chairs.", 3),
        (
            COUNT,
            "I can see two chairs on the left and one on the right, so there are 3 chairs in total.",  # noqa: E501 - a reply as it comes
            3,
        ),
        (COUNT, "2 + 1 = 3", 3),
        (COUNT, "2+1=3 chairs", 3),
        (COUNT, "There are 2 chairs at the table and 1 by the window. Total: 3", 3),
        (COUNT, "1. A red chair\n2. A blue chair\n\nTotal: 2", 2),
        (COUNT, "In frame 12 there are 3 chairs.", 3),
        (COUNT, "Step 1: count. Step 2: sum. The answer is 4.", 4),
        (COUNT, "At 0:12 we see 3 chairs", 3),
        (COUNT, "2 or 3", None),
        (METERS, "2-3 meters", None),
        (METERS, "2 to 3 m", None),
        (METERS, "between 2 and 3 meters", None),
        (COUNT, "I cannot tell.", None),
        (COUNT, "", None),
        (COUNT, "many", None),
        (COUNT, "several chairs", None),
        (COUNT, "There are 2 chairs. There are 4 chairs.", None),
        (COUNT, "The answer is 2 or 3.", None),
        (COUNT, "N/A", None),
        (COUNT, "The first one.", None),
        (COUNT, "No one.", None),
        (COUNT, "one of the chairs", None),
        (COUNT, "The answer is 2. Wait, the answer is 3.", 3),
        (COUNT, "<answer>2</answer><answer>3</answer>", 3),
        (COUNT, "\\boxed{2} no \\boxed{3}", 3),
        (COUNT, "3\n\nThe video shows 2 chairs at the table and 1 at the wall.", 3),
        (COUNT, "The video shows 2 chairs at the table and 1 at the wall.\n\n3", 3),
        (COUNT, "**Answer:** 3", 3),
        (COUNT, "Answer: **3 chairs**", 3),
        (COUNT, "答案是3", 3),
        (COUNT, "共有3把椅子", 3),
        (SECONDS, "10 seconds", 10),
        (SECONDS, "0.5 minutes", 30),
        (SECONDS, "2 minutes", 120),
        (COUNT, "nan", None),
        (COUNT, "infinity", None),
        (COUNT, "1e999", None),
        (COUNT, "The count is **3**.", 3),
        (COUNT, "So, 3.", 3),
        (COUNT, "Therefore, there are 3.", 3),
    ],
)
def test_numbers_are_read_as_a_reader_reads_them(question, text, value):
    """Words, units, thousands, decimal commas, fractions and LaTeX; a range is no answer."""
    found = read_quantity(split(text).answer, question)
    assert (found.value if found else None) == (None if value is None else pytest.approx(value))


@pytest.mark.parametrize(
    ("question", "text", "value"),
    [
        (COUNT, "$\\frac{5}{2}$", 2.5),
        (COUNT, "\\dfrac{5}{2}", 2.5),
        (COUNT, "5/2", 2.5),
        (COUNT, "2 1/2", 2.5),
        (COUNT, "two and a half", 2.5),
        (COUNT, "a dozen", 12),
        (COUNT, "a couple", None),
        (COUNT, "The answer is $3$.", 3),
        (COUNT, "The answer is \\boxed{3}", 3),
        (COUNT, "x = 3", 3),
        (COUNT, "x=3", 3),
        (COUNT, "n = 3 chairs", 3),
        (COUNT, "\\(3\\)", 3),
        (COUNT, "3.0", 3),
        (COUNT, "03", 3),
        (COUNT, "+3", 3),
        (COUNT, "3,", 3),
        (COUNT, "3;", 3),
        (COUNT, "'3'", 3),
        (COUNT, '"3"', 3),
        (COUNT, "3 (three)", 3),
        (COUNT, "three (3)", 3),
        (COUNT, "There are three (3) chairs.", 3),
        (COUNT, "about three", 3),
        (COUNT, "exactly 3", 3),
        (COUNT, "at least 3", 3),
        (COUNT, "3+", 3),
        (COUNT, "3-4", None),
        (COUNT, "3~4", None),
        (COUNT, "3 to 4", None),
        (COUNT, "three or four", None),
        (COUNT, "$1,250$", 1250),
        (COUNT, "1 250", None),
        (COUNT, "12%", 12),
        (COUNT, "0.5", 0.5),
        (COUNT, ".75", 0.75),
        (COUNT, "1e3", 1000),
        (COUNT, "10^3", 1000),
        (COUNT, "2 \\times 10^3", 2000),
        (METERS, "3.5 m", 3.5),
        (METERS, "3.5m.", 3.5),
        (METERS, "3,5 m", 3.5),
        (METERS, "350cm", 3.5),
        (METERS, "3.5 meters (11.5 feet)", 3.5),
        (METERS, "11.5 feet", 3.505),
        (METERS, "approximately 3.5 meters.", 3.5),
        (METERS, "The distance is about 3.5 m, give or take 0.5 m.", 3.5),
        (METERS, "I would estimate 3.5 meters.", 3.5),
        (
            METERS,
            "Based on the video, the distance between the sofa and the door is 3.5 meters.",
            3.5,
        ),
        (METERS, "Around 3.5", 3.5),
        (METERS, "The sofa is 2 m long and the distance to the door is 3.5 m.", 3.5),
        (SQUARE_METERS, "25 m^2", 25),
        (SQUARE_METERS, "25 m$^2$", 25),
        (SQUARE_METERS, "25 $m^2$", 25),
        (SQUARE_METERS, "25 \\text{ m}^2", 25),
        (SQUARE_METERS, "25 sqm", 25),
        (SQUARE_METERS, "25 square metres", 25),
        (SQUARE_METERS, "5 x 5 = 25 m²", 25),
        (SQUARE_METERS, "5 m × 5 m = 25 m²", 25),
        (SQUARE_METERS, "The room is about 5 m x 5 m, or 25 square meters.", 25),
        (SQUARE_METERS, "Length 5 m, width 5 m, area 25 m2", 25),
        (CENTIMETERS, "120 cm (47 in)", 120),
        (CENTIMETERS, "1.2 meters", 120),
        (CENTIMETERS, "The table is 1.2 meters, i.e. 120 centimeters.", 120),
        (CENTIMETERS, "4 feet", 121.92),
        (COUNT, "The answer is 4", 4),
        (COUNT, "Total: 4 chairs", 4),
        (COUNT, "Count: 4", 4),
        (COUNT, "Four chairs are visible.", 4),
        (COUNT, "I see four chairs: one red, two blue, one green.", 4),
        (COUNT, "There is a total of 4 chairs.", 4),
        (COUNT, "The number of chairs is 4.", 4),
        (COUNT, "The number of chairs: 4", 4),
        (COUNT, "None", None),
        (COUNT, "0", 0),
        (COUNT, "zero chairs", 0),
        (COUNT, "Chair 1, chair 2, chair 3. So 3 chairs.", 3),
        (COUNT, "1, 2, 3", None),
        (COUNT, "Frame 1: 2 chairs. Frame 2: 3 chairs. Final answer: 3", 3),
        (COUNT, "In the first frame there are 2, then 3 more, so 5.", 5),
        (COUNT, "2 + 3 = 5 chairs in total", 5),
        (COUNT, "3*4=12", 12),
        (COUNT, "Step 1: 2 chairs\nStep 2: 1 chair\nAnswer: 3", 3),
        (COUNT, "### 3", 3),
        (COUNT, "#### 3", 3),
        (COUNT, "- 3", 3),
        (COUNT, "* 3", 3),
        (COUNT, "> 3", 3),
        (COUNT, "Answer - 3", 3),
        (COUNT, "Answer 3", 3),
        (COUNT, "The answer is approximately equal to 3.2", 3.2),
        (METERS, "<answer>3.2 m</answer>", 3.2),
        (COUNT, "<answer>about 3</answer>", 3),
        (COUNT, "<answer>2 or 3</answer>", None),
        (COUNT, "三", None),
        (COUNT, "3把", 3),
        (METERS, "大约3米", 3),
        (COUNT, "答案：3", 3),
        (COUNT, "30 degrees", 30),
        (COUNT, "30°", 30),
        (COUNT, "$30", 30),
        (COUNT, "It is 2024-05-01", None),
        (COUNT, "at 3 pm", None),
        (COUNT, "I cannot count 3", 3),
    ],
)
def test_further_forms_of_numbers_are_read(question, text, value):
    """Halves, dozens, powers, areas beside their sides, dates and times of day."""
    found = read_quantity(split(text).answer, question)
    wanted = None if value is None else pytest.approx(value, abs=1e-3)
    assert (found.value if found else None) == wanted


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("<answer>3</answer>", "answer-tag"),
        (r"\boxed{3}", "boxed"),
        ("about 3 chairs", "only-number"),
        ("I looked twice. The answer is 3.", "statement"),
        ("I looked at everything.\n3", "lone-line"),
        ("2 here and 1 there, 2 + 1 = 3 chairs that I saw", "equation"),
        ("I see 2 here, 1 there, so it makes 3 of them", "conclusion"),
        ("There are 3 chairs beside 2 tables here", "counted"),
        ("The room holds 3 of them at most", "single-number"),
    ],
)
def test_the_rule_that_found_the_number_is_told(text, rule):
    """Every rule of the table can fire, and says so."""
    assert read_quantity(text, COUNT).rule == rule
    assert {one.name for one in RULES} >= {rule} - {"answer-tag", "boxed"}


@pytest.mark.parametrize("text", ["1e300^99", "9" * 400, "1/0", "\\frac{1}{0}", "1 1/0", "10^99"])
def test_numbers_that_no_float_holds_are_none(text):
    """Overflow and division by zero are no answers, and no errors."""
    found = read_quantity(text, COUNT)
    assert found is None or found.value == pytest.approx(1e99)


PIECES = [
    "1",
    "2.5",
    ",",
    ".",
    "/",
    "^",
    "e",
    "-",
    " ",
    "m",
    "cm",
    "%",
    "one",
    "and a half",
    "=",
    "(",
    "\\boxed{",
    "}",
    "answer is",
    "\n",
    "\u00bd",
    "\u0663",
    "\ud800",
    "<answer>",
    "10",
]


@given(st.lists(st.sampled_from(PIECES), max_size=25))
def test_any_text_ends_in_a_number_or_none(pieces):
    """Whatever a model writes, reading it raises nothing and gives a finite number."""
    found = read_quantity("".join(pieces), METERS)
    assert found is None or abs(found.value) < float("inf")


def make_sample(kind, answer, question=COUNT):
    return Sample(
        id="x", task="t", question=question, answer=answer, kind=kind, category="c", cluster="v"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "text", "value", "outcome"),
    [
        ("4", "4 chairs", 1.0, Outcome.CORRECT),
        ("4", "There are 3 chairs.", 0.5, Outcome.PARTIAL),
        ("4", "40", 0.0, Outcome.WRONG),
        ("4", "many", 0.0, Outcome.NO_ANSWER),
    ],
)
def test_estimates_get_mean_relative_accuracy(answer, text, value, outcome):
    """3 of 4 is off by 0.25: within 5 of the ten thresholds (0.5, 0.45, ..., 0.3; not 0.25)."""
    score = score_flexible(make_sample(Kind.REGRESSION, answer), text)
    assert score.outcome is outcome
    if outcome is Outcome.PARTIAL:
        assert score.value in (0.5, 0.6)
    else:
        assert score.value == value


def test_a_length_is_compared_in_the_unit_that_is_asked_for():
    """1.2 m is 120 cm, which is what the question wants."""
    score = score_flexible(make_sample(Kind.REGRESSION, "120", CENTIMETERS), "It is 1.2 m tall.")
    assert (score.value, score.answer) == (1.0, "120")


@pytest.mark.parametrize(
    ("gold", "text", "outcome"),
    [("3.429", "24/7", Outcome.CORRECT), ("1,250", "1250", Outcome.CORRECT),
     ("0.5", "1/2", Outcome.CORRECT), ("3", "3.2", Outcome.WRONG)],
)  # fmt: skip
def test_exact_numbers_are_equal_to_two_decimals(gold, text, outcome):
    """24/7 is 3.43 to two decimals, as 3.429 is."""
    assert score_flexible(make_sample(Kind.NUMERICAL, gold), text).outcome is outcome


@pytest.mark.parametrize(
    "text",
    ["1 " * 40_000, "9" * 100_000, "1,000," * 20_000, "1/2" * 20_000, "there are " * 10_000,
     "= " * 40_000, "one " * 20_000, "1-" * 40_000, "approximately " * 10_000 + "3",
     "answer: " * 10_000, "1." * 40_000, "\\frac{1}{2}" * 10_000],
)  # fmt: skip
def test_endless_replies_are_read_in_linear_time(text):
    """A model that repeats itself until its limit costs no more than a moment of the processor."""
    began = time.process_time()
    read_quantity(text, METERS)
    assert time.process_time() - began < 5
