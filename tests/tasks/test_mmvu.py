"""MMVU: the 1,000 questions, the publishers' templates, the stand-in rule, the judge, presets."""

import json
import time
from collections import Counter
from pathlib import Path
from string import Template
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import DatasetError
from harness.schema import FrameRule, Kind, Outcome, Sample
from tasks.mmvu import MMVU, read_letter
from tasks.mmvu_judge import MMVURubric, read_verdict
from tests.paths import SHARED
from tests.tasks.paper import paper_prompt

TASK = MMVU()
DATA = SHARED / "data" / "mmvu"
PAPER = SHARED / "data" / "video-r1-eval" / "eval_mmvu.json"
published = pytest.mark.skipif(not DATA.is_dir(), reason=f"the 1,000 questions are not at {DATA}")

HUB = "https://huggingface.co/datasets/yale-nlp/MMVU/resolve/main/videos"
CHOICE: dict[str, Any] = {
    "id": "validation_1",
    "video": f"{HUB}/Art/0.mp4",
    "question_type": "multiple-choice",
    "question": " Which technique is shown? ",
    "choices": {"A": "pan ", "B": "zoom", "C": "dolly", "D": "tilt", "E": "crane"},
    "answer": "B",
    "metadata": {"subject": "Art", "textbook": "", "rationale": "", "knowledge": []},
}
OPEN = CHOICE | {
    "id": "validation_2",
    "video": f"{HUB}/Computer_Science/7.mp4",
    "question_type": "open-ended",
    "choices": dict.fromkeys("ABCDE", ""),
    "answer": "Depth-First Search (DFS)",
}


def load(folder: Path, *rows: dict[str, Any]) -> tuple[Sample, ...]:
    (folder / "validation.json").write_text(json.dumps(rows))
    return TASK.load(folder).samples


def choice(tmp_path: Path) -> Sample:
    return load(tmp_path, CHOICE)[0]


def test_rows_are_read_field_by_field(tmp_path: Path) -> None:
    """Options come without letters; the folder of the video gives discipline and subject."""
    first, second = load(tmp_path, CHOICE, OPEN)
    assert (first.id, first.kind, first.answer) == ("mmvu/validation_1", Kind.MULTIPLE_CHOICE, "B")
    assert first.options == ("pan ", "zoom", "dolly", "tilt", "crane")
    assert first.category == "multiple-choice/Humanities_and_Social_Science/Art"
    assert first.media[0].path == tmp_path / "videos/Art/0.mp4"
    assert (second.kind, second.options) == (Kind.FREE_FORM, ())
    assert second.category == "open-ended/Engineering/Computer_Science"
    assert second.cluster == "Computer_Science/7"


def test_github_and_the_hub_are_read(tmp_path: Path) -> None:
    """GitHub has the file below ``data``."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/validation.json").write_text(json.dumps([CHOICE]))
    assert TASK.load(tmp_path).files == (tmp_path / "data/validation.json",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"question_type": "essay"}, "multiple-choice or open-ended"),
        ({"video": f"{HUB}/Cooking/1.mp4"}, "with a known subject"),
        ({"video": "0.mp4"}, "with a known subject"),
        ({"choices": ["pan"]}, "an object with a text for each"),
        ({"choices": {}}, "an object with a text for each"),
        ({"choices": {"A": "pan", "C": "zoom"}}, "an object with a text for each"),
        ({"choices": {"A": 1}}, "an object with a text for each"),
        ({"answer": "F"}, "the letter of one of 5 options"),
        ({"answer": None}, "a string or a number"),
        ({"id": 3}, "a string"),
        ({"question": None}, "a string"),
    ],
)
def test_a_malformed_row_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """The error names file and row and says what was expected."""
    with pytest.raises(DatasetError, match=rf"validation\.json, row 1: .*{message}"):
        load(tmp_path, CHOICE, CHOICE | change)


@published
def test_published_counts() -> None:
    """Kinds, golds, videos, subjects and disciplines as counted in the published file."""
    samples = TASK.load(DATA).samples
    assert len(samples) == 1000
    assert len({s.cluster for s in samples}) == 583
    choices = [s for s in samples if s.kind is Kind.MULTIPLE_CHOICE]
    assert len(choices) == 625
    assert len({s.cluster for s in choices}) == 379
    assert Counter(s.answer for s in choices) == {"A": 115, "B": 127, "C": 142, "D": 114, "E": 127}
    subjects = Counter(s.category.split("/")[2] for s in samples)
    assert len(subjects) == 27
    assert (subjects["Clinical_Medicine"], subjects["Management"]) == (65, 23)
    assert {s.category.split("/")[1] for s in samples} == {
        "Science", "Engineering", "Healthcare", "Humanities_and_Social_Science",
    }  # fmt: skip


# The publishers' templates (utils/constant.py), filled in as their prepare_input.py does.
TEMPLATES = {
    ("official", "multiple-choice"): Template(
        "\nQuestion: $question\n$options\n\nAnswer the given multiple-choice question step by step."
        " Begin by explaining your reasoning process clearly. Conclude by stating the final answer"
        " using the following format: 'Therefore, the final answer is: $$LETTER' (without quotes),"
        " where $$LETTER is one of the options. Think step by\nstep before answering."
    ),
    ("official", "open-ended"): Template(
        "\nQuestion: $question\n\nAnswer the given question step by step. Begin by explaining your"
        " reasoning process clearly. Conclude by stating the final answer using the following"
        " format: 'Therefore, the final answer is: 'Answer: $$ANSWER' (without quotes), where"
        " $$ANSWER is the final answer of the question. Think step by step\nbefore answering."
    ),
    ("official-direct", "multiple-choice"): Template(
        "\nQuestion: $question\n$options\n\nDo not generate any intermediate reasoning process."
        " Answer directly with the option letter from the given choices.\n"
    ),
    ("official-direct", "open-ended"): Template(
        "\nQuestion: $question\n\nDo not generate any intermediate reasoning process. Directly"
        " output the final short answer.\n"
    ),
}


@published
@pytest.mark.parametrize("name", ["official", "official-direct"])
def test_the_official_prompts_are_the_publishers_templates(name: str) -> None:
    """Byte for byte on all 1,000 questions."""
    rows = json.loads((DATA / "validation.json").read_text())
    for item, row in zip(TASK.load(DATA).samples, rows, strict=True):
        options = "\n".join(f"{letter}: {text}" for letter, text in row["choices"].items())
        made = TEMPLATES[name, row["question_type"]].substitute(
            question=row["question"], options=options
        )
        assert TASK.prompt(item, name).text == made, item.id


@published
@pytest.mark.skipif(not PAPER.is_file(), reason=f"Video-R1's rows are not at {PAPER}")
def test_video_r1_asks_the_questions_of_its_own_file() -> None:
    """All 625 prompts, videos and answers, in the order of its file."""
    rows = json.loads(PAPER.read_text())
    asked = [s for s in TASK.load(DATA).samples if s.kind is Kind.MULTIPLE_CHOICE]
    rule = TASK.scorers["video-r1"]
    for item, row in zip(asked, rows, strict=True):
        assert TASK.prompt(item, "video-r1").text == paper_prompt(row), item.id
        assert str(item.media[0].path).endswith(row["path"].removeprefix("./Evaluation/MMVU"))
        assert row["solution"] == f"<answer>{item.answer}</answer>", item.id
        assert rule.score(item, row["solution"]).value == 1, item.id


@pytest.mark.parametrize("scorer", ["official", "official+answer", "video-r1", "flexible"])
def test_open_questions_are_left_out_without_a_judge(tmp_path: Path, scorer: str) -> None:
    """No rule can rate them; a refusal is left out as well."""
    (item,) = load(tmp_path, OPEN)
    for text in ("Depth-First Search (DFS)", "", "<answer>B</answer>"):
        score = TASK.scorers[scorer].score(item, text)
        assert (score.value, score.outcome) == (None, Outcome.NO_ANSWER)
    assert TASK.scorers[scorer].score_refusal(item).value is None


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("Therefore, the final answer is: B", "B"),
        ("It shows A or C. Therefore, the final answer is: $B$.", "B"),
        ("Therefore, the final answer is: **B**", "B"),
        ("Therefore, the final answer is: 'Answer: B'", "B"),
        ("therefore the final answer is (B) zoom, not C", "B"),
        ("the final answer is: \\boxed{B}", "B"),
        ("The final answer is: A ... wait. Therefore, the final answer is: B", "B"),
        ("B", "B"),
        ("B: zoom", "B"),
        ("(C), no: (B)", "B"),
        ("First C. Then B. A cat is seen.", "B"),
        ("<think>C</think><answer>B</answer>", "B"),
        ("A. zoom in", "A"),
        ("b", None),
        ("I'm not sure", None),
        ("F", None),
        ("BACK", None),
        ("", None),
        ("A cat jumps", None),
    ],
)
def test_the_rule_reads_the_format_that_the_prompt_asks_for(text: str, letter: str | None) -> None:
    """The stated answer comes first, then the last letter that stands alone."""
    assert read_letter(text, ("A", "B", "C", "D", "E")) == letter


@pytest.mark.parametrize("filler", [" ", "final answer is ", "\\boxed", "A ", "Answer:", "9"])
def test_long_responses_cost_little(filler: str) -> None:
    """100,000 characters of a degenerate response are read at once."""
    begun = time.perf_counter()
    read_letter("final answer is" + filler * (100_000 // len(filler)), ("A", "B"))
    assert time.perf_counter() - begun < 5


@given(st.sampled_from(["official", "official+answer", "video-r1", "flexible"]), st.text())
def test_any_text_has_a_score(scorer: str, text: str) -> None:
    """No scorer fails on any text or leaves the range from 0 to 1."""
    item = Sample(
        id="mmvu/1", task="mmvu", question="?", answer="B", kind=Kind.MULTIPLE_CHOICE,
        category="multiple-choice/Science/Biology", cluster="1", options=tuple("vwxyz"),
    )  # fmt: skip
    assert TASK.scorers[scorer].score(item, text).value in (0.0, 1.0)


def test_the_official_preset_is_the_publishers() -> None:
    """One frame per second, at most 64, temperature 1 and 1,024 new tokens."""
    protocol = TASK.protocol("official")
    assert protocol.frames is not None
    assert (protocol.frames.rule, protocol.frames.fps) == (FrameRule.PER_SECOND, 1.0)
    assert (protocol.frames.max_frames, protocol.frames.max_pixels) == (64, 1_003_520)
    assert protocol.sampling is not None
    assert (protocol.sampling.temperature, protocol.sampling.max_tokens) == (1.0, 1024)


# --- the judge


def test_the_judge_is_asked_as_the_publishers_ask(tmp_path: Path) -> None:
    """Options are listed for a choice; the system text says how to treat an open answer."""
    first, second = load(tmp_path, CHOICE, OPEN)
    system, user = MMVURubric().messages(first, "I say {B}")
    assert user["content"] == (
        "Question:  Which technique is shown? \n\nOptions:\nA: pan \nB: zoom\nC: dolly\nD: tilt\n"
        "E: crane\n\nGround Truth Answer: B\n\nModel Response to the Question: I say {B}"
    )
    assert 'str value "A" "B" "C" "D" "E", should be a single character' in system["content"]
    system, user = MMVURubric().messages(second, "DFS")
    assert user["content"] == (
        "Question:  Which technique is shown? \n\nGround Truth Answer: Depth-First Search (DFS)\n\n"
        "Model Response to the Question: DFS"
    )
    assert "does not need to match the ground-truth answer word-for-word" in system["content"]


@pytest.mark.parametrize(
    ("verdict", "correct"),
    [
        ('{"extracted_answer": "B", "correct": true}', True),
        ('```json\n{"extracted_answer": "DFS", "correct": false}\n```', False),
        ('{\n"extracted_answer": "B"\n"correct": True\n}', True),
        ("{'extracted_answer': 'B', 'correct': False}", False),
        ('{"correct": "true"}', None),
        ('{"extracted_answer": "B"}', None),
        ('{"correct": true} or {"correct": false}', None),
        ("Correct", None),
        ("[true]", None),
        ("", None),
    ],
)
def test_verdicts_are_read(verdict: str, correct: bool | None) -> None:
    """The field ``correct`` of a JSON object, also of one that is nearly JSON; no guessing."""
    assert read_verdict(verdict) is correct


def test_the_judge_rates_every_response() -> None:
    """Choices too, as in the publishers' script; the scorer bears the model's name."""
    scorer = TASK.with_llm_judge("http://127.0.0.1:9/v1", "gpt-4o")
    assert scorer.tag == "official+judge:gpt-4o@1"
    assert scorer.aggregation.name == "micro"


def test_an_unknown_template_lists_the_known_ones(tmp_path: Path) -> None:
    """The publishers' second prompt is one of them."""
    with pytest.raises(Exception, match="known: video-r1, official, official-direct"):
        TASK.prompt(choice(tmp_path), "short")
