"""Video-MME: rows, prompts with and without subtitles, the official parser bug for bug, presets."""

import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from harness.errors import DatasetError
from harness.schema import FrameRule, Kind, Outcome, Record, Sample
from tasks.videomme import VideoMME, VideoMMESubtitles, read_letter

TASK, WITH = VideoMME(), VideoMMESubtitles()
ROW: dict[str, Any] = {
    "video_id": "001",
    "duration": "short",
    "domain": "Knowledge",
    "sub_category": "Humanity & History",
    "url": "https://www.youtube.com/watch?v=abcDEF12345",
    "videoID": "abcDEF12345",
    "question_id": "001-1",
    "task_type": "Counting Problem",
    "question": "How many lamps are there?",
    "options": ["A. One.", "B. Two.", "C. Three.", "D. Four."],
    "answer": "C",
}
LONG = ROW | {"videoID": "long1234567", "question_id": "601-1", "duration": "long"}
PROMPT = (
    "Select the best answer to the following multiple-choice question based on the video. Respond"
    " with only the letter (A, B, C, or D) of the correct option.\n"
    "How many lamps are there?\nA. One.\nB. Two.\nC. Three.\nD. Four.\nThe best answer is:"
)
SRT = "1\n00:00:01,000 --> 00:00:03,000\nOne\nlamp\n\n2\n00:00:05,000 --> 00:00:06,000\nTwo\n"


def write(folder: Path, *rows: dict[str, Any]) -> Path:
    (folder / "videomme").mkdir(exist_ok=True)
    path = folder / "videomme" / "test-00000-of-00001.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)
    return folder


def question(answer: str = "C") -> Sample:
    return Sample(
        id="videomme/001-1", task="videomme", question="?", answer=answer,
        kind=Kind.MULTIPLE_CHOICE, category="short/Knowledge/Law/Counting Problem",
        cluster="v", options=("One.", "Two.", "Three.", "Four."),
    )  # fmt: skip


def test_a_row_of_the_hub_is_read_field_by_field(tmp_path: Path) -> None:
    """Duration, domain, sub-category and type of question are the category, from coarse to fine."""
    (sample,) = TASK.load(write(tmp_path, ROW)).samples
    assert (sample.id, sample.cluster, sample.answer) == ("videomme/001-1", "abcDEF12345", "C")
    assert sample.category == "short/Knowledge/Humanity & History/Counting Problem"
    assert sample.options == ("One.", "Two.", "Three.", "Four.")
    assert sample.media[0].path == tmp_path / "data/abcDEF12345.mp4"


@pytest.mark.parametrize("ending", ["MP4", "mkv"])
def test_a_video_may_have_another_ending(tmp_path: Path, ending: str) -> None:
    """A few of the hub's have one."""
    (tmp_path / "data").mkdir()
    (tmp_path / f"data/abcDEF12345.{ending}").write_bytes(b"video")
    (sample,) = TASK.load(write(tmp_path, ROW)).samples
    assert sample.media[0].path.name == f"abcDEF12345.{ending}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"duration": "middle"}, "short, medium or long"),
        ({"answer": "E"}, "the letter of one of 4 options"),
        ({"options": None}, "the letter of one of 0 options"),
        ({"videoID": None}, "a string"),
        ({"videoID": "../../secret"}, "leaves the data root"),
        ({"task_type": None}, "a string"),
    ],
)
def test_a_malformed_row_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """The error names file and row and says what was expected."""
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, [ROW, ROW | change])))
    with pytest.raises(DatasetError, match=rf"test\.jsonl, row 1: .*{message}"):
        TASK.load(tmp_path)


def test_the_official_prompt_is_the_publishers_example(tmp_path: Path) -> None:
    """The README's example without subtitles, byte for byte."""
    (sample,) = TASK.load(write(tmp_path, ROW)).samples
    assert TASK.prompt(sample, "official").text == PROMPT


def test_video_r1_asks_as_for_its_other_benchmarks(tmp_path: Path) -> None:
    """Question and options, then the request to think."""
    (sample,) = TASK.load(write(tmp_path, ROW)).samples
    assert TASK.prompt(sample, "video-r1").text.startswith(
        "How many lamps are there?Options:\nA. One.\nB. Two.\nC. Three.\nD. Four.\n\nPlease think"
    )


# --- subtitles


def with_subtitles(folder: Path) -> tuple[Sample, ...]:
    (folder / "subtitle").mkdir()
    (folder / "subtitle/long1234567.srt").write_text(SRT)
    return WITH.load(write(folder, ROW, LONG)).samples


def test_subtitles_of_the_sampled_frames_stand_before_the_prompt(tmp_path: Path) -> None:
    """A line per frame that has one, in the form of the README's example."""
    _, sample = with_subtitles(tmp_path)
    assert sample.id == "videomme/subtitles/601-1"
    assert WITH.prompt_at(sample, "official", [(0.0, 2.0, 2.5, 5.5)]).text == (
        f"This video's subtitles are listed below:\nOne lamp\nOne lamp\nTwo\n{PROMPT}"
    )
    assert WITH.prompt_at(sample, "official", [(0.0, 4.0)]).text == PROMPT


def test_a_video_without_subtitles_is_asked_without(tmp_path: Path) -> None:
    """As are all questions where no frame is shown."""
    sample, long = with_subtitles(tmp_path)
    assert WITH.prompt_at(sample, "official", [(2.0,)]).text == PROMPT
    assert WITH.prompt(long, "official").text == PROMPT


def test_subtitle_files_are_part_of_the_datas_fingerprint(tmp_path: Path) -> None:
    """A run does not go on with other subtitles."""
    with_subtitles(tmp_path)
    names = [path.name for path in WITH.load(tmp_path).files]
    assert names == ["test-00000-of-00001.parquet", "long1234567.srt"]


@pytest.mark.parametrize(
    ("made", "message"),
    [(False, "subtitle: no such folder"), (True, "of the long video 'long1234567', got none")],
)
def test_missing_subtitles_are_named(tmp_path: Path, made: bool, message: str) -> None:
    """All long videos have some, so that a half unpacked archive is noticed."""
    if made:
        (tmp_path / "subtitle").mkdir()
    with pytest.raises(DatasetError, match=message):
        WITH.load(write(tmp_path, ROW, LONG))


# --- the official parser


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("Based on the video, C", "B"),
        ("A dog; so D", "A"),
        ("<think>Because it is red</think><answer>C</answer>", "B"),
        ("<think>it is red, so c</think><answer>C</answer>", "C"),
        ("c", None),
        ("Best option: C", "B"),
        ("Best answer: C", "B"),
        ("The best option is C", "C"),
        ("The answer is B.", "B"),
        ("I think (B)", "B"),
        ("D.", "D"),
        ("", None),
        ("Answer: C", "C"),
        ("Final Answer: D", "D"),
        ("Answer:\nC", "C"),
        ("ANSWER: D", "A"),
        ("The Answer is B", "A"),
        ("Correct answer: D", "C"),
        ("The answer is: **C**", "C"),
        ("\\boxed{C}", "C"),
        ("None of them", None),
        ("one two three four five six seven eight nine ten eleven", None),
    ],
)
def test_responses_are_read_as_by_the_official_parser(text: str, letter: str | None) -> None:
    """Each was put to the publisher's own function; None is left out of the mean."""
    assert read_letter(text) == letter
    score = TASK.scorers["official"].score(question(), text)
    assert score.value == (None if letter is None else float(letter == "C"))
    assert (score.outcome is Outcome.NO_ANSWER) == (letter is None)


def test_a_thought_does_not_decide_behind_the_answer_tag() -> None:
    """``official+answer`` reads the tag alone."""
    text = "<think>Because it is red</think><answer>C</answer>"
    assert TASK.scorers["official+answer"].score(question(), text).value == 1


def record(name: str, value: float | None, outcome: Outcome = Outcome.WRONG) -> Record:
    return Record(
        id=f"videomme/{name}", task="videomme", variant="ordered", cluster=name, category="short",
        outcome=outcome, value=value, answer=None, gold="C", scorer="official@1",
    )  # fmt: skip


def test_the_summary_says_what_the_unanswered_would_cost() -> None:
    """Two right of three read and one unread: 66.7 officially, 50 if the unread one were wrong."""
    records = [
        record("1", 1.0, Outcome.CORRECT), record("2", 1.0, Outcome.CORRECT), record("3", 0.0),
        record("4", None, Outcome.NO_ANSWER), record("5", None, Outcome.FAILED),
    ]  # fmt: skip
    assert TASK.extra({"videomme": records}) == {"unanswered": 1.0, "score_if_wrong": 50.0}
    assert TASK.extra({"videomme": records[:3]}) == {}
    assert TASK.extra({}) == {}


def test_no_readable_answer_at_all_is_a_score_of_0_if_counted() -> None:
    """The official score has no denominator then."""
    records = [record("4", None, Outcome.TRUNCATED)]
    assert TASK.extra({"videomme": records}) == {"unanswered": 1.0, "score_if_wrong": 0.0}


@given(st.sampled_from(["official", "official+answer", "video-r1", "flexible"]), st.text())
def test_any_text_has_a_score(scorer: str, text: str) -> None:
    """No scorer fails on any text or leaves the range from 0 to 1."""
    assert TASK.scorers[scorer].score(question(), text).value in (0.0, 1.0, None)


def test_the_official_preset_has_the_publishers_frames() -> None:
    """The middles of 64 segments by the script that its README names."""
    frames = TASK.protocol("official").frames
    assert frames is not None
    assert (frames.rule, frames.max_frames) == (FrameRule.MIDDLES, 64)
    assert WITH.protocol("official").task == "videomme-subtitles@1"
