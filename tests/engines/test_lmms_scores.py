"""The scorer `lmms-eval` is the installed package's, and every disagreement with it has a class."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter

import pytest

from harness.rescore.reasons import Reason
from harness.schema import Kind, Outcome, Sample
from harness.task import registry
from tasks.lmms.package import scoring_module, visible
from tasks.videommmu_answers import MULTIPLE_CHOICE, QUESTION_TYPE
from tests.engines.corpus import SIZE, questions, responses
from tests.engines.parity_report import (
    BENCHMARKS,
    PAIRS,
    count_disagreements,
)
from tests.paths import ROOT

pytest.importorskip("lmms_eval", reason="needs the heavy environment: lmms-eval is not installed")

PAGE = ROOT / "docs" / "lmms_scorer_differences.md"
DATA = ROOT.parent / "shared" / "data" / "tempcompass"
SCORERS = ("official", "lmms-eval", "video-r1")

pytestmark = [pytest.mark.engine, pytest.mark.filterwarnings("default")]


def values(sample: Sample, text: str) -> tuple[float | None, ...]:
    scorers = registry.get(sample.task).scorers
    return tuple(scorers[name].score(sample, text).value for name in SCORERS)


def ask(task: str, gold: str, options: tuple[str, ...] = (), **fields: object) -> Sample:
    kind = Kind.MULTIPLE_CHOICE if options else Kind.REGRESSION
    return Sample(**{
        "id": f"{task}/1", "task": task, "question": "?", "answer": gold, "options": options,
        "kind": kind, "category": "", "cluster": "validation_Art_1", **fields,
    })  # fmt: skip


# --- examples worked by hand: official / lmms-eval / video-r1


@pytest.mark.parametrize(
    ("text", "gold", "official", "lmms", "video_r1"),
    [
        ("3", "4", 0.6, 0.6, 0.5),
        ("1", "2", 0.1, 0.1, 0.0),
        ("3", "2", 0.1, 0.1, 0.0),
        ("3 meters", "3", 1, 1, 0),
        ("3m", "3", 0, 1, 0),
        ("~3", "3", 0, 1, 0),
        ("There are 3 chairs", "3", 0, 1, 0),
        ("three", "3", 0, 1, 0),
        ("twenty-five", "25", 0, 1, 0),
        ("1,200", "1200", 0, 0, 1),
        ("1e1", "10", 1, 0, 1),
        ("about 12.5 square meters, i.e. 134 sq ft", "12.5", 0, 1, 0),
        ("There are 3 chairs and 2 tables. Answer: 5", "5", 0, 0.3, 0),
        ("one of the 3 chairs", "3", 0, 0, 0),
        ("<think>2 or 4</think>\n<answer>3</answer>", "3", 0, 1, 1),
        ("<think>x</think><answer>3 chairs</answer>", "3", 0, 1, 0),
        ("<think>2 and 4", "3", 0, 0.4, 0),
    ],
)
def test_numbers_of_vsibench(text, gold, official, lmms, video_r1):
    """Table 5.1."""
    sample = ask("vsibench", gold, category="object_counting")
    assert values(sample, text) == pytest.approx((official, lmms, video_r1))


@pytest.mark.parametrize(
    ("text", "official", "lmms", "video_r1"),
    [
        ("A", 1, 1, 1),
        ("a", 1, 1, 0),
        ("A.", 1, 1, 0),
        ("A. left", 1, 1, 0),
        ("A) left", 0, 0, 0),
        ("(A)", 0, 0, 0),
        ("A:", 0, 0, 0),
        ("A\nBecause…", 0, 0, 0),
        ("The answer is A", 0, 0, 0),
        ("Answer: A", 0, 0, 0),
        ("<think>x</think>\n<answer>A</answer>", 0, 0, 1),
        ("<think>x</think>\nA", 0, 1, 0),
        ("<think>x</think>\n<answer>A. left</answer>", 0, 0, 0),
        ("<think>maybe <answer>B</answer></think><answer>A</answer>", 0, 0, 0),
    ],
)
def test_letters_of_vsibench(text, official, lmms, video_r1):
    """Table 5.2."""
    sample = ask("vsibench", "A", ("left", "right"), category="object_rel_direction_easy")
    assert values(sample, text) == (official, lmms, video_r1)


@pytest.mark.parametrize(
    ("text", "official", "lmms", "video_r1"),
    [
        ("B.", 1, 1, 0),
        ("(B)", 1, 1, 0),
        ("The answer is B", 1, 1, 0),
        ("Answer: B", 1, 1, 0),
        ("<answer>B</answer>", 0, 1, 1),
        ("**B**", 0, 1, 0),
        ("\\boxed{B}", 0, 1, 0),
        ("B) blue", 0, 1, 0),
        ("<think>Option A. … C: … So B.</think>\n<answer>B</answer>", 1, 1, 1),
        ("A. is wrong. B. is right", 1, 0, 0),
        ("I think B is better than A", 0, 0, 0),
        ("A car moves. Therefore B", 1, 0, 0),
        ("It seems to me that this is a fine blue one", 1, 0, 0),
        ("", None, 0, 0),
    ],
)
def test_letters_of_videommmu(text, official, lmms, video_r1):
    """Table 5.3."""
    ten = ("red", "fine blue", "c3", "d4", "e5", "f6", "g7", "h8", "i9", "j10")
    sample = ask("videommmu", "B", ten, source={QUESTION_TYPE: MULTIPLE_CHOICE})
    assert values(sample, text) == (official, lmms, video_r1)


@pytest.mark.parametrize(
    ("text", "gold", "official", "lmms", "video_r1"),
    [
        ("The answer is 12.970", "12.97", 1, 1, 0),
        ("$7,243,000", "7243000", 1, 1, 0),
        ("0.2857", "0.286", 1, 1, 1),
        ("360 degrees", "360", 1, 1, 0),
        ("", "360", None, None, 0),
    ],
)
def test_open_answers_of_videommmu(text, gold, official, lmms, video_r1):
    """Table 5.3, below: open answers."""
    sample = ask("videommmu", gold, kind=Kind.NUMERICAL, source={QUESTION_TYPE: "open"})
    assert values(sample, text) == (official, lmms, video_r1)


@pytest.mark.parametrize(
    ("text", "official", "lmms", "video_r1"),
    [
        ("C", 1, 1, 1),
        ("(C) Put down the cup.", 1, 1, 0),
        ("C.", 1, 1, 0),
        ("c", 1, 1, 0),
        ("The answer is C", 0, 1, 0),
        ("Option C", 0, 1, 0),
        ("answer: C", 0, 1, 0),
        ("Put down the cup.", 0, 0, 0),
        ("a C", 0, 0, 0),
        ("A person put down the cup; C", 0, 0, 0),
        ("", 1, None, 0),
        (".", 1, 0, 0),
        ("(", 1, 0, 0),
        ("<think>A?</think><answer>C</answer>", 0, 1, 1),
    ],
)
def test_letters_of_mvbench(text, official, lmms, video_r1):
    """Table 5.4."""
    options = ("Opened it.", "Sat down.", "Put down the cup.", "Left.")
    assert values(ask("mvbench", "C", options), text) == (official, lmms, video_r1)


@pytest.mark.parametrize(
    ("number", "text", "official", "lmms", "outcome"),
    [
        (0, "A\n", 1, 1, Outcome.CORRECT),
        (0, "A. dunking…", 1, 1, Outcome.CORRECT),
        (0, "(A)", 0, 0, Outcome.NO_ANSWER),
        (0, "a", 0, 0, Outcome.NO_ANSWER),
        (0, "Answer: A", 0, 0, Outcome.NO_ANSWER),
        (0, "<answer>A</answer>", 0, 0, Outcome.NO_ANSWER),
        (3, "Not sure.", 1, 1, Outcome.CORRECT),
        (2, "<think>…</think><answer>yes</answer>", 0, 0, Outcome.NO_ANSWER),
        (2, "<think>…</think>yes", 0, 1, Outcome.CORRECT),
    ],
)
def test_rules_of_tempcompass(number, text, official, lmms, outcome):
    """Table 5.5; what would go to the judge has no answer and is worth 0, at once and offline."""
    sample = questions("tempcompass")[number]
    assert values(sample, text)[:2] == (official, lmms)
    scorer = registry.get("tempcompass").scorers["lmms-eval"]
    assert scorer.score(sample, text).outcome is outcome


# --- real answers


@pytest.mark.skipif(not DATA.is_dir(), reason=f"Video-LLaVA's published answers are not at {DATA}")
def test_published_answers_to_tempcompass_get_their_published_ratings():
    """All 5529 rule-matched answers of Video-LLaVA agree, 7 have no answer, 2004 are captions."""
    task = registry.get("tempcompass")
    score = task.scorers["lmms-eval"].score
    samples = {sample.id: sample for sample in task.load(DATA).samples}
    seen: Counter[str] = Counter()
    for name in ("multi-choice", "yes_no", "caption_matching", "captioning"):
        judged = json.loads((DATA / "video-llava" / f"{name}.judged.json").read_text("utf-8"))
        for video, aspects in judged.items():
            for aspect, items in aspects.items():
                for position, item in enumerate(items):
                    sample = samples[f"tempcompass/{name}/{video}/{aspect}/{position}"]
                    result = score(sample, item["video-llm-prediction"])
                    if name == "captioning":
                        assert result.value is None
                        seen["caption"] += 1
                    elif item["match_success"]:
                        assert result.value == item["rating"], sample.id
                        seen["rule"] += 1
                    else:
                        assert (result.value, result.outcome) == (0, Outcome.NO_ANSWER)
                        seen["judge"] += 1
    assert seen == {"rule": 5529, "judge": 7, "caption": 2004}


# --- the package's copies of official rules, response by response


def test_official_numbers_and_letters_of_vsibench_are_the_packages():
    """Its copy of the publishers' first-word rule and metric gives our values, all of them."""
    package = scoring_module("vsibench")
    official = registry.get("vsibench").scorers["official"].score
    for sample, text in responses("vsibench"):
        word = package.fuzzy_matching(text)
        if sample.kind is Kind.MULTIPLE_CHOICE:
            expected = package.exact_match(word, sample.answer)
        else:
            number, gold = package.to_float(word), float(sample.answer)
            shares = {"start": 0.5, "end": 0.95, "interval": 0.05}
            expected = 0.0
            if number is not None:
                expected = package.mean_relative_accuracy(number, gold, **shares)
        assert official(sample, text).value == expected, (sample.answer, text[:80])


def test_official_letters_and_values_of_videommmu_are_the_packages():
    """Its copies of the leaderboard's two parsers and of the comparison give our values."""
    from harness.scoring.answers import letters

    package = scoring_module("videommmu")
    parse = sys.modules["lmms_eval.tasks._task_utils.mmmu_mcq_utils"]
    official = registry.get("videommmu").scorers["official"].score
    for sample, text in responses("videommmu"):
        if sample.kind is Kind.MULTIPLE_CHOICE:
            known = list(letters(len(sample.options)))
            options = dict(zip(known, sample.options, strict=True))
            read = parse.parse_videommmu_multi_choice_response(text, known, options)
            correct = read == sample.answer
        else:
            read = package.parse_open_response(text)
            correct = read != "API Error" and package.eval_open(sample.answer, read)
        expected = None if read == "API Error" else float(correct)
        assert official(sample, text).value == expected, (sample.answer, text[:80])


def test_official_rules_of_tempcompass_are_the_packages():
    """Without tags the two agree on every response; ours drops ``</s>`` as the publishers do."""
    scorers = registry.get("tempcompass").scorers
    for sample, text in responses("tempcompass"):
        if not re.search(r"</?(s|think|analysis)>", text):
            ours, theirs = (scorers[name].score(sample, text) for name in SCORERS[:2])
            assert (ours.value, ours.outcome) == (theirs.value, theirs.outcome), text[:80]


def test_mmvu_is_rated_by_the_packages_rules():
    """An option's text or a word of it counts; of an open answer any part, and nothing at all."""
    options = ("put down the cup", "pick up the bag", "open the door", "A blue car", "nothing")
    chosen = ask("mmvu", "C", options)
    for text, value in (
        ("C", 1),
        ("c", 1),
        ("I choose a door", 1),
        ("B or C", 1),
        ("A", 0),
        ("", 0),
    ):
        assert registry.get("mmvu").scorers["lmms-eval"].score(chosen, text).value == value, text
    opened = ask("mmvu", "Binary Search", kind=Kind.FREE_FORM)
    for text, value in (("binary search!", 1), ("search binary", 1), ("", 1), ("hash table", 0)):
        assert registry.get("mmvu").scorers["lmms-eval"].score(opened, text).value == value, text


def test_the_letter_of_videomme_is_the_packages():
    """Its shared extractor; what it does not find is wrong and stays in the mean."""
    scorers = registry.get("videomme").scorers
    chosen = ask("videomme", "C", ("One.", "Two.", "Three.", "Four."))
    for text, official, lmms in (
        ("Best option: C", 0, 1),
        ("Based on the video, C", 0, 1),
        ("<think>Because</think><answer>C</answer>", 0, 1),
        ("c", None, 0),
    ):
        found = [scorers[name].score(chosen, text).value for name in ("official", "lmms-eval")]
        assert found == [official, lmms], text


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("The event happens in 24.3 - 30.4 seconds.", (24.3, 30.4)),
        ("24.3 to 30.4", (24.3, 30.4)),
        ("between 24.3 and 30.4 seconds", None),
        ("From 24.3s to 30.4s", (24.3, 30.4)),
        ("[24.3, 30.4]", None),
        ("starts at 24.3 seconds and ends at 30.4 seconds", None),
        ("Start: 24.3\nEnd: 30.4", (24.3, 30.4)),
        ("00:24 - 00:30", (24, 30)),
        ("0:24.3 to 0:30.4", (0, 24.3)),
        ("30.4 - 24.3", (24.3, 30.4)),
        ("10 - 12 and 24.3 - 30.4", (10, 12)),
        ("<answer>24.3 to 30.4</answer> wait, 1 to 2", (24.3, 30.4)),
        ("<answer>24.3 to 30.4", (24.3, 30.4)),
        ("24 to 30 seconds (0.81 to 1.0)", (24, 30)),
        ("I cannot find it.", None),
        ("", None),
        ("24.3", None),
    ],
)
def test_spans_of_charades_are_the_packages(text, span):
    """As its functions read them; a thought is removed before."""
    from harness.scoring.metrics import temporal_iou

    asked = ask("charades-sta", "24.3 to 30.4", kind=Kind.SPAN, source={"sentence": "x"})
    score = registry.get("charades-sta").scorers["lmms-eval"].score(asked, text)
    assert score.value == (0 if span is None else temporal_iou(span, (24.3, 30.4)))
    assert (score.outcome is Outcome.NO_ANSWER) == (span is None)


# --- every disagreement


@pytest.fixture(scope="module")
def documented() -> dict[str, set[tuple[tuple[str, str], str]]]:
    """The classes in the committed tables, by benchmark and pair of scorers."""
    known: dict[str, set[tuple[tuple[str, str], str]]] = {}
    for section in PAGE.read_text("utf-8").split("\n## ")[1:]:
        benchmark, *lines = section.split("\n")
        rows = [line.strip("|").split("|") for line in lines if re.match(r"\| [a-z]", line)]
        known[benchmark] = {
            (pair, row[0].strip())
            for row in rows[1:]
            for pair, count in zip(PAIRS, row[1:], strict=False)
            if count.strip() and not row[0].strip().startswith("all, of")
        }
    return known


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_every_disagreement_belongs_to_a_documented_class(documented, benchmark):
    """On 20,000 responses no class occurs that the page does not list, and none is unexplained."""
    assert SIZE >= 20_000
    found = {(pair, str(cause)) for pair, cause in count_disagreements(benchmark).classes}
    assert found <= documented[benchmark]
    assert str(Reason.OTHER) not in {cause for _, cause in documented[benchmark]}


def test_the_page_is_what_its_command_prints():
    """``docs/lmms_scorer_differences.md`` is up to date, in a process with another hash seed."""
    command = [sys.executable, "-m", "tests.engines.parity_report"]
    made = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert made.stdout == PAGE.read_text("utf-8"), "regenerate it: see line 3"


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_a_bare_letter_or_number_scores_the_same_everywhere(benchmark):
    """What prompts ask for is no matter of the scorer: right is 1 under all three, wrong is 0."""
    for sample in questions(benchmark):
        official, lmms, paper = values(sample, sample.answer)
        recast = benchmark == "tempcompass" and not sample.category.startswith("multi-choice")
        if benchmark == "mmvu" and sample.kind is Kind.FREE_FORM:  # without a judge
            assert (official, lmms, paper) == (None, 1, None)
        elif sample.kind is Kind.SPAN:  # TimeChat's parser wants a hyphen
            assert (official, lmms, paper) == (0, 1, 1)
        elif sample.kind is Kind.FREE_FORM:  # Video-R1's evaluation gives free text no credit
            assert (official, lmms, paper) == (1, 1, 0)
        elif not recast:
            assert (official, lmms, paper) == (1, 1, 1), sample


# --- the package stays outside


def test_scoring_needs_no_network_and_leaves_no_stub_behind(monkeypatch):
    """No connection is tried, and `lmms_eval.tasks` can be imported in full afterwards."""
    import socket

    def refuse(*_: object) -> None:
        raise AssertionError("a scorer went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    for benchmark in BENCHMARKS:
        for sample, text in responses(benchmark, 200):
            values(sample, text)
    assert not hasattr(sys.modules.get("lmms_eval.tasks", object()), "__path__") or hasattr(
        sys.modules["lmms_eval.tasks"], "TaskManager"
    )


def test_reasoning_is_stripped_as_the_command_line_does():
    """Both default pairs of tags, and a closing tag whose opening one the prompt had."""
    assert visible("<think>A</think> B ") == "B"
    assert visible("<analysis>A</analysis>B") == "B"
    assert visible("A</think>B") == "B"
    assert visible("<think>A") == "<think>A"
