"""LongVideoBench: rows of both files, prompts, the insertion of subtitles, the author's rule."""

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
from tasks.longvideobench import LEVELS, LongVideoBench, LongVideoBenchSubtitles, read_letter
from tasks.longvideobench_subtitles import Clipped, interleave

TASK, WITH = LongVideoBench(), LongVideoBenchSubtitles()
ROW: dict[str, Any] = {
    "video_id": "AbC12345678",
    "question": "When the man in the red coat stands at the door, what is in his hand?",
    "question_wo_referring_query": "What is in his hand?",
    "candidates": ["a cup", "a key", "a book", "a phone"],
    "correct_choice": 1,
    "position": [1068],
    "topic_category": "LV-Lifestyle-Life-Vlogs",
    "question_category": "T2O",
    "level": "L1-Perception",
    "id": "AbC12345678_0",
    "video_path": "AbC12345678.mp4",
    "subtitle_path": "AbC12345678_en.json",
    "duration_group": 60,
    "starting_timestamp_for_subtitles": 75,
    "duration": 44.96,
    "view_count": 1234,
}
PROMPT = (
    "Question: When the man in the red coat stands at the door, what is in his hand?\n"
    "A. a cup\nB. a key\nC. a book\nD. a phone\n"
    "Answer with the option's letter from the given choices directly."
)


def write(folder: Path, *rows: dict[str, Any]) -> Path:
    (folder / "lvb_val.json").write_text(json.dumps(rows))
    return folder


def test_a_row_is_read_field_by_field(tmp_path: Path) -> None:
    """Duration group, level and category are the category; files are named by their own fields."""
    (sample,) = TASK.load(write(tmp_path, ROW)).samples
    assert (sample.id, sample.answer) == ("longvideobench/AbC12345678_0", "B")
    assert sample.category == "60/L1-Perception/T2O"
    assert sample.options == ("a cup", "a key", "a book", "a phone")
    assert sample.media[0].path == tmp_path / "videos/AbC12345678.mp4"
    assert TASK.prompt(sample, "official").text == PROMPT


def test_files_are_not_named_by_the_id(tmp_path: Path) -> None:
    """135 ids have a prefix that the files lack."""
    row = ROW | {"video_id": "@user-1", "id": "@user-1_0", "video_path": "1.mp4"}
    (sample,) = TASK.load(write(tmp_path, row)).samples
    assert (sample.cluster, sample.media[0].path.name) == ("@user-1", "1.mp4")


def test_the_parquet_file_holds_the_same_questions(tmp_path: Path) -> None:
    """Five columns of options with a filler, no level, the offset as a float."""
    hidden = ("candidates", "level", "position", "view_count", "question_wo_referring_query")
    row = {name: value for name, value in ROW.items() if name not in hidden}
    row |= {f"option{n}": text for n, text in enumerate([*ROW["candidates"], "N/A"])}
    row["starting_timestamp_for_subtitles"] = 75.0
    made = TASK.load(write(tmp_path, ROW)).samples
    (tmp_path / "lvb_val.json").unlink()
    table = pyarrow.Table.from_pylist([row])
    parquet.write_table(table, tmp_path / "validation-00000-of-00001.parquet")
    assert TASK.load(tmp_path).samples == made


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"correct_choice": 4}, "the position of one of 4 options"),
        ({"correct_choice": -1}, "the position of one of 4 options"),
        ({"correct_choice": True}, "the position of one of 4 options"),
        ({"candidates": ["a cup"]}, "2 to 5 options"),
        ({"question_category": "X2Y"}, "one of the 17 categories"),
        ({"duration": None}, "a number of seconds"),
        ({"video_path": "../../secret.mp4"}, "leaves the data root"),
        ({"subtitle_path": "../../passwd"}, "leaves the data root"),
    ],
)
def test_a_malformed_row_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """The error names file and row and says what was expected."""
    with pytest.raises(DatasetError, match=rf"lvb_val\.json, row 1: .*{message}"):
        TASK.load(write(tmp_path, ROW, ROW | change))


def test_there_are_seventeen_categories_in_two_levels() -> None:
    """Eight of perception and nine of relations, seven of all about text."""
    found = [category for known in LEVELS.values() for category in known]
    assert (len(found), len(set(found))) == (17, 17)
    assert sum("T" in category for category in found) == 7


# --- subtitles: put to the publisher's function with frames at 0, 5, 10 and 15 seconds

TIMES = (0.0, 5.0, 10.0, 15.0)
CLIP = Clipped(offset_s=0.0, duration_s=30.0)


def cue(start: float, end: float, text: str = "text") -> dict[str, Any]:
    return {"timestamp": [start, end], "text": text}


@pytest.mark.parametrize(
    ("cues", "expected"),
    [
        ([cue(4.0, 6.5)], [0, 1, "text", 2, 3]),
        ([cue(6.0, 9.0)], [0, 1, 2, 3]),
        ([cue(5.0, 8.0)], [0, 1, 2, 3]),  # a border on the frame
        ([cue(3.0, 5.0)], [0, 1, 2, 3]),
        ([cue(5.3, 5.6)], [0, 1, "text", 2, 3]),  # widened to 4.95 to 5.95
        ([cue(5.6, 6.0)], [0, 1, 2, 3]),
        ([cue(4.0, 7)], [0, 1, 2, 3, "text"]),  # a whole number as end becomes 30
        ([cue(4.0, 16.0)], [0, 1, 2, "text", 3]),  # once, though it covers three frames
        ([cue(14.0, 16.0, "b"), cue(4.0, 6.0, "a")], [0, 1, 2, 3, "b", "a"]),
        ([cue(-3.0, 1)], [0, 1, 2, "text", 3]),
        ([cue(-3.0, 1.0)], ["text", 0, 1, 2, 3]),  # before the clip
    ],
)
def test_subtitles_stand_where_the_publisher_puts_them(
    cues: list[dict[str, Any]], expected: list[int | str]
) -> None:
    """Behind the frames up to their middle, if a frame lies strictly inside."""
    assert interleave(TIMES, cues, CLIP) == expected


def test_the_offset_of_a_clip_is_taken_off_afterwards() -> None:
    """A missing end becomes the duration first, which then lies before the start."""
    frames = tuple(n * 33 / 29.97 for n in range(8))
    clip = Clipped(offset_s=484.0, duration_s=9.01)
    shown = interleave(frames, [cue(488.0, 490.5)], clip)
    assert shown == [0, 1, 2, 3, 4, "text", 5, 6, 7]
    assert "text" not in interleave(frames, [cue(488.0, 490)], clip)


def test_the_form_with_clock_times_is_read() -> None:
    """Hours, minutes and seconds with a point."""
    line = {"start": "00:00:04.000", "end": "00:00:06.500", "line": "text"}
    assert interleave(TIMES, [line], CLIP) == [0, 1, "text", 2, 3]


@pytest.mark.parametrize("start", ["00:03.5", "00:00:03,500", "3.5", ""])
def test_other_clock_times_are_errors(start: str) -> None:
    """As in the publisher's function."""
    with pytest.raises(ValueError, match=r"."):
        interleave(TIMES, [{"start": start, "end": "00:00:09.000", "line": "text"}], CLIP)


def with_subtitles(folder: Path, content: str) -> Sample:
    (folder / "subtitles").mkdir()
    (folder / "subtitles/AbC12345678_en.json").write_text(content)
    return WITH.load(write(folder, ROW)).samples[0]


CUES = [cue(79.0, 81.5, "see you"), cue(83.0, 84.5, "never shown"), cue(89.0, 91.5, "bye")]
"""On the clock of the longer video, 75 s ahead of the clip's."""


def test_the_official_prompt_has_the_subtitles_between_the_frames(tmp_path: Path) -> None:
    """Where the publisher's loader has them, each on a line; those without a frame are left out."""
    sample = with_subtitles(tmp_path, json.dumps(CUES))
    assert sample.id == "longvideobench/subtitles/AbC12345678_0"
    assert WITH.interleaves("official")
    prompt = WITH.prompt_at(sample, "official", [TIMES])
    assert prompt.between == ((2, "see you\n"), (4, "bye\n"))
    assert prompt.text == WITH.prompt(sample, "official").text == PROMPT
    assert len(WITH.load(tmp_path).files) == 2


@pytest.mark.parametrize("template", ["official-listed", "video-r1"])
def test_other_templates_have_the_subtitles_before_the_question(
    tmp_path: Path, template: str
) -> None:
    """For models that take a video and no text between its frames."""
    sample = with_subtitles(tmp_path, json.dumps(CUES))
    prompt = WITH.prompt_at(sample, template, [TIMES])
    assert not WITH.interleaves(template)
    assert prompt.between is None
    assert prompt.text == f"see you\nbye\n{WITH.prompt(sample, template).text}"
    assert WITH.prompt(sample, "official-listed").text == PROMPT


def test_frames_without_subtitles_are_images_all_the_same(tmp_path: Path) -> None:
    """So that every question of a run is asked in one form."""
    sample = with_subtitles(tmp_path, "[]")
    assert WITH.prompt_at(sample, "official", [TIMES]).between == ()


@pytest.mark.parametrize("content", ["{}", "[1]", '[{"timestamp": 3}]', '[{"text": "x"}]', "x"])
def test_a_malformed_subtitle_file_is_named(tmp_path: Path, content: str) -> None:
    """The item fails with the file's name."""
    sample = with_subtitles(tmp_path, content)
    with pytest.raises(DatasetError, match=r"AbC12345678_en\.json"):
        WITH.prompt_at(sample, "official", [TIMES])


def test_missing_subtitles_are_named(tmp_path: Path) -> None:
    """Every question has a file."""
    with pytest.raises(DatasetError, match=r"AbC12345678_en\.json: no such file"):
        WITH.load(write(tmp_path, ROW))


# --- the author's rule


def question(count: int = 4) -> Sample:
    return Sample(
        id="longvideobench/1_0", task="longvideobench", question="?", answer="B", cluster="1",
        kind=Kind.MULTIPLE_CHOICE, category="15/L1-Perception/S2E",
        options=("cup", "door", "key", "man", "car")[:count],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        ("(B)", "B"),
        ("B. door", "B"),
        ("The answer is B", "B"),
        ("Answer: B", "A"),
        ("Best option: C", "C"),
        ("A man opens the door", "A"),
        ("<think>Because it rains</think><answer>C</answer>", "B"),
        ("E", "E"),
        ("b", None),
        ("door", None),
        ("", None),
    ],
)
def test_responses_are_read_by_the_authors_rule(text: str, letter: str | None) -> None:
    """Executed there; where it guesses there is no answer here, with the chance in the rule."""
    assert read_letter(text) == letter
    score = TASK.scorers["official"].score(question(), text)
    assert score.value == float(letter == "B")
    assert (score.outcome, score.rule) == (
        (Outcome.NO_ANSWER, "no letter, 4 options")
        if letter is None
        else (Outcome.CORRECT if letter == "B" else Outcome.WRONG, None)
    )


def test_the_summary_says_what_guessing_would_add() -> None:
    """One right of four, and two without a letter of 4 and 5 options: 25 % and 0.45 / 4 more."""

    def record(name: str, value: float | None, rule: str | None, outcome: Outcome) -> Record:
        return Record(
            id=name, task="longvideobench", variant="ordered", cluster=name, category="15",
            outcome=outcome, value=value, answer=None, gold="B", scorer="official@1", rule=rule,
        )  # fmt: skip

    records = [
        record("1", 1.0, None, Outcome.CORRECT),
        record("2", 0.0, None, Outcome.WRONG),
        record("3", 0.0, "no letter, 4 options", Outcome.NO_ANSWER),
        record("4", 0.0, "no letter, 5 options", Outcome.TRUNCATED),
        record("5", None, None, Outcome.FAILED),
    ]
    figures = TASK.extra({"longvideobench": records})
    assert figures == {"unanswered": 2.0, "score_if_guessed": pytest.approx(36.25)}
    assert TASK.extra({"longvideobench": records[:2]}) == {}


@given(st.sampled_from(["official", "official+answer", "video-r1", "flexible"]), st.text())
def test_any_text_has_a_score(scorer: str, text: str) -> None:
    """No scorer fails on any text or leaves the range from 0 to 1."""
    assert TASK.scorers[scorer].score(question(), text).value in (0.0, 1.0)


def test_the_official_preset_has_the_publishers_frames() -> None:
    """At most 64 in equal steps from the first on."""
    frames = TASK.protocol("official").frames
    assert frames is not None
    assert (frames.rule, frames.max_frames) == (FrameRule.STRIDE, 64)
