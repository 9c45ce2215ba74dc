"""Video-Holmes: rows, the prompt, the official rule with its alphabetical preference."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import DatasetError
from harness.schema import FrameRule, Kind, Sample
from tasks.videoholmes import VideoHolmes, read_letter

TASK = VideoHolmes()
ROW: dict[str, Any] = {
    "video ID": "aBc-123_xyz",
    "Question ID": "q1",
    "Question Type": "TCI",
    "Question": "Why does the lamp go out??",
    "Options": {"A": "wind", "B": "a hand", "C": "the rain"},
    "Answer": "B",
    "Explanation": "",
}


def load(folder: Path, *rows: dict[str, Any]) -> tuple[Sample, ...]:
    (folder / "test_Video-Holmes.json").write_text(json.dumps(rows))
    return TASK.load(folder).samples


def test_a_row_is_read_field_by_field(tmp_path: Path) -> None:
    """The type of question is the category."""
    (sample,) = load(tmp_path, ROW)
    assert (sample.id, sample.cluster, sample.answer) == ("videoholmes/q1", "aBc-123_xyz", "B")
    assert (sample.category, sample.options) == ("TCI", ("wind", "a hand", "the rain"))
    assert sample.media[0].path == tmp_path / "videos/aBc-123_xyz.mp4"


@pytest.mark.parametrize("folder", ["videos", "videos_cropped"])
def test_films_are_found_under_both_names(tmp_path: Path, folder: str) -> None:
    """The script's and the zip's."""
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "aBc-123_xyz.mp4").write_bytes(b"video")
    assert load(tmp_path, ROW)[0].media[0].path.is_file()


def test_the_publishers_folder_is_read(tmp_path: Path) -> None:
    """Its download script makes a folder ``Benchmark``."""
    (tmp_path / "Benchmark").mkdir()
    (tmp_path / "Benchmark/test_Video-Holmes.json").write_text(json.dumps([ROW]))
    (sample,) = TASK.load(tmp_path).samples
    assert sample.media[0].path == tmp_path / "Benchmark/videos/aBc-123_xyz.mp4"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Question Type": "XY"}, "one of SR, IMC"),
        ({"Options": ["wind"]}, "an object with a text"),
        ({"Options": {"A": "wind"}}, "an object with a text"),
        ({"Options": {"A": "wind", "C": "rain"}}, "an object with a text"),
        ({"Options": {"A": "wind", "B": 2}}, "an object with a text"),
        ({"Answer": "D"}, "the letter of one of 3 options"),
        ({"video ID": None}, "a string"),
    ],
)
def test_a_malformed_row_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """The error names file and row and says what was expected."""
    with pytest.raises(DatasetError, match=rf"Video-Holmes\.json, row 1: .*{message}"):
        load(tmp_path, ROW, ROW | change)


def test_the_official_prompt_is_the_publishers(tmp_path: Path) -> None:
    """One line; a full stop follows whatever the question ends with."""
    (sample,) = load(tmp_path, ROW)
    assert TASK.prompt(sample, "official").text == (
        "Based on the given video, reason and answer the single-choice question. Provide your"
        " reasoning between the <think> and </think> tags, and then give your final answer between"
        " the <answer> and </answer> tags. The question is: Why does the lamp go out??. The options"
        " are: A: wind, B: a hand, C: the rain. Your answer:"
    )


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("<answer>The CIA agent: E</answer>", "A"),
        ("A man runs, therefore C", "A"),
        ("<answer>BACK</answer>", "A"),
        ("<answer>D</answer> or <answer>B</answer>", "B"),
        ("<answer>E. Fire</answer>", "E"),
        ("<answer>B: not A </answer>", "B"),
        ("<answer>B: not A .</answer>", "A"),
        ("<think>A</think><answer>\n[F]\n</answer>", "F"),
        ("<answer></answer>", None),
        ("<answer>c</answer>", None),
        ("<answer>E", "E"),
        ("WRONG", None),
        ("", None),
    ],
)
def test_responses_are_read_as_by_the_official_script(text: str, letter: str | None) -> None:
    """The last answer's alphabetically first letter with a mark, else without."""
    assert read_letter(text) == letter


@given(st.text(alphabet="AB: [<>/answer \n") | st.text("<answer></answer> x"))
def test_the_answer_is_what_the_official_expression_finds(text: str) -> None:
    """The tags are paired as by ``<answer>\\s*(.*?)\\s*</answer>``."""
    found = re.findall(r"<answer>\s*(.*?)\s*</answer>", text, re.DOTALL)
    assert read_letter(text) == read_letter(found[-1].strip() if found else text)


def test_many_unclosed_tags_cost_no_time() -> None:
    """The original expression needs quadratic time for them."""
    assert read_letter("<answer>" * 20_000) is None
    assert read_letter("<answer>" * 20_000 + "B</answer>") == "B"


@given(st.sampled_from(["official", "official+answer", "video-r1", "flexible"]), st.text())
def test_any_text_has_a_score(scorer: str, text: str) -> None:
    """No scorer fails on any text or leaves the range from 0 to 1."""
    item = Sample(
        id="videoholmes/1", task="videoholmes", question="?", answer="B", cluster="1",
        kind=Kind.MULTIPLE_CHOICE, category="SR", options=("x", "y", "z"),
    )  # fmt: skip
    assert TASK.scorers[scorer].score(item, text).value in (0.0, 1.0)


def test_the_official_preset_is_the_publishers() -> None:
    """2 frames per second, at most 64, next to no temperature."""
    protocol = TASK.protocol("official")
    assert protocol.frames is not None
    assert (protocol.frames.rule, protocol.frames.max_frames) == (FrameRule.VIDEO_R1, 64)
    assert protocol.sampling is not None
    assert (protocol.sampling.temperature, protocol.sampling.max_tokens) == (0.1, 1024)
