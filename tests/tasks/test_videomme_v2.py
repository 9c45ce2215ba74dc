"""Video-MME-v2: rows, prompts, the official parser, and group scores for every pattern of marks."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from harness.errors import DatasetError
from harness.run.plan import PlannedTask
from harness.run.summary import summarise
from harness.schema import FrameRule, Kind, Outcome, Record, Sample, TaskSummary
from tasks.videomme_v2 import VideoMMEv2, VideoMMEv2Subtitles, read_letter
from tasks.videomme_v2_groups import (
    CHAIN,
    FIRST_OR_SECOND,
    SECOND_OR_THIRD,
    Group,
    Mark,
    linear_score,
    score_group,
    without_unread,
)
from tasks.videomme_v2_subtitles import Word, group_words, spoken_behind

TASK, WITH = VideoMMEv2(), VideoMMEv2Subtitles()
OPTIONS = "\n".join(f"{letter}. Choice {letter}" for letter in "ABCDEFGH")
ROW: dict[str, Any] = {
    "video_id": "001",
    "url": "https://www.youtube.com/watch?v=abc",
    "group_type": "logic",
    "group_structure": "[1, [2, 3], 4]",
    "question_id": "001-1",
    "question": "Why does he leave?",
    "options": OPTIONS,
    "answer": "F",
    "level": "2",
    "second_head": "Frames & Audio",
    "third_head": "Order / Change",
}
RELEVANT = ROW | {
    "video_id": "002", "question_id": "002-1", "group_type": "relevance", "group_structure": "4",
    "level": None,
}  # fmt: skip


def load(folder: Path, *rows: dict[str, Any]) -> tuple[Sample, ...]:
    parquet.write_table(pyarrow.Table.from_pylist(list(rows)), folder / "test.parquet")
    return TASK.load(folder).samples


def test_rows_of_the_hub_are_read_field_by_field(tmp_path: Path) -> None:
    """Kind and structure of the group, level and heads are the category."""
    first, second = load(tmp_path, ROW, RELEVANT)
    assert (first.id, first.cluster, first.answer) == ("videomme-v2/001-1", "001", "F")
    assert first.category == "logic/1-23-4/level-2/Frames & Audio/Order   Change"
    assert first.options == tuple(f"Choice {letter}" for letter in "ABCDEFGH")
    assert first.media[0].path == tmp_path / "videos/001.mp4"
    assert second.category.startswith("relevance/any/none/")


@pytest.mark.parametrize("place", ["001.mp4", "videos/001/001.mp4", "videos/part 1/001.mp4"])
def test_a_video_is_found_where_its_zip_put_it(tmp_path: Path, place: str) -> None:
    """Beside the questions, or in a folder of the zip."""
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_bytes(b"video")
    assert load(tmp_path, ROW)[0].media[0].path == tmp_path / place


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"group_type": "both"}, "relevance or logic"),
        ({"group_structure": "[4,3,2,1]"}, r"one of \[1,2,3,4\]"),
        ({"group_structure": None}, "one of"),
        ({"answer": "I"}, "the letter of one of 8 options"),
        ({"options": "A. only one"}, "eight lines"),
        ({"options": OPTIONS.replace("D. ", "D) ")}, "eight lines"),
        ({"options": f"Choose:\n{OPTIONS}"}, "eight lines"),
        ({"question": None}, "a string"),
    ],
)
def test_a_malformed_row_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """The error names file and row and says what was expected."""
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, [ROW, ROW | change])))
    with pytest.raises(DatasetError, match=rf"test\.jsonl, row 1: .*{message}"):
        TASK.load(tmp_path)


def test_an_option_may_have_several_lines(tmp_path: Path) -> None:
    """The next letter ends it."""
    (sample,) = load(tmp_path, ROW | {"options": OPTIONS.replace("Choice B", "two\nlines")})
    assert sample.options[1:3] == ("two\nlines", "Choice C")


def test_the_official_prompt_is_the_scripts(tmp_path: Path) -> None:
    """Both texts of the message, the second with question, options and instruction."""
    (sample,) = load(tmp_path, ROW)
    assert TASK.prompt(sample, "official").text == (
        "These are the frames of a video.Question: Why does he leave?\n"
        f"{OPTIONS}\nSelect the best answer to the following multiple-choice question based on the"
        " video. Respond with only the letter (A, B, C, D, E, F, G, or H) of the correct option."
    )
    assert TASK.prompt(sample, "official-reasoning").text.endswith(
        "strictly in the format: 'Final Answer: <letter>."
    )


def test_subtitles_stand_before_the_question(tmp_path: Path) -> None:
    """All words of the file, joined by blanks."""
    load(tmp_path, ROW)
    (tmp_path / "subtitle").mkdir()
    words = [{"text": word, "start_time": 0.0, "end_time": 1.0} for word in ("He", "leaves.")]
    (tmp_path / "subtitle/001.jsonl").write_text("\n".join(map(json.dumps, words)))
    (sample,) = WITH.load(tmp_path).samples
    assert sample.id == "videomme-v2/subtitles/001-1"
    assert WITH.prompt(sample, "official").text.startswith(
        "These are the frames of a video. This video's subtitles are listed below:\n"
        "He leaves.\nQuestion: Why does he leave?\nA. Choice A"
    )
    (tmp_path / "subtitle/001.jsonl").write_text("")
    assert "listed below:\n\nQuestion" in WITH.prompt(sample, "official").text
    (tmp_path / "subtitle/001.jsonl").unlink()
    with pytest.raises(DatasetError, match=r"001\.jsonl: no such file"):
        WITH.load(tmp_path)


def spoken(*words: tuple[str, float, float]) -> list[Word]:
    return [Word(*word) for word in words]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ([], []),
        ([("He", 0.0, 0.4), ("leaves", 0.9, 1.2)], ["He leaves"]),  # a pause of 0.5 s exactly
        ([("He", 0.0, 0.4), ("leaves", 1.0, 1.2)], ["He", "leaves"]),
        ([("Stop.", 0.0, 0.5), ("Go", 0.7, 0.9)], ["Stop.", "Go"]),
        ([("Stop.", 0.0, 0.5), ("Go", 0.5, 0.9)], ["Stop. Go"]),
        ([("Stop! ", 0.0, 0.5), ("Go", 0.7, 0.9)], ["Stop! ", "Go"]),
        ([("Stop,", 0.0, 0.5), ("Go", 0.7, 0.9)], ["Stop, Go"]),
    ],
)
def test_words_are_grouped_at_pauses(words: list[Any], parts: list[str]) -> None:
    """Longer ones than half a second, and shorter ones behind the end of a sentence."""
    assert [part.text for part in group_words(spoken(*words))] == parts


@pytest.mark.parametrize(
    ("start", "end", "behind"),
    [
        (0.0, 1.0, []),  # ends before the first frame
        (0.0, 2.0, [0]),  # touches it
        (2.5, 3.0, [0]),
        (3.0, 4.0, [0, 1]),  # an end on a frame's time counts
        (4.0, 4.5, [1]),  # a start on the next frame's time does not
        (1.0, 7.0, [0, 1, 2]),
        (7.0, 900.0, [2]),
    ],
)
def test_a_part_stands_behind_every_frame_in_whose_time_it_is_spoken(
    start: float, end: float, behind: list[int]
) -> None:
    """Frames at 2, 4 and 6 seconds; the time of a frame ends with the next one."""
    found = list(spoken_behind([Word("x", start, end)], (2.0, 4.0, 6.0)))
    assert [place for place, lines in enumerate(found) if lines] == behind
    assert {line for lines in found for line in lines} <= {
        f"[Subtitle {start:.2f}s - {end:.2f}s]: x"
    }


@pytest.mark.parametrize(
    ("template", "ending"),
    [
        ("official-interleaved", "(A, B, C, D, E, F, G, or H) of the correct option."),
        ("official-reasoning-interleaved", "'Final Answer: <letter>."),
    ],
)
def test_subtitles_may_stand_between_the_frames(tmp_path: Path, template: str, ending: str) -> None:
    """The publisher's other form, with another first sentence; nothing separates the texts."""
    load(tmp_path, ROW)
    (tmp_path / "subtitle").mkdir()
    words = [{"text": "Hi", "start_time": 0.5, "end_time": 2.25}]
    (tmp_path / "subtitle/001.jsonl").write_text(json.dumps(words[0]))
    (sample,) = WITH.load(tmp_path).samples
    prompt = WITH.prompt_at(sample, template, [(1.0, 2.0, 3.0)])
    assert prompt.between == tuple((place, "[Subtitle 0.50s - 2.25s]: Hi") for place in (1, 2))
    assert prompt.text.startswith(
        "These are the frames of a video with corresponding subtitles shown between frames. The"
        " subtitles indicate what is being said during the time interval between adjacent frames."
        "Question: Why does he leave?\nA. Choice A"
    )
    assert prompt.text.endswith(ending)
    assert WITH.interleaves(template)
    assert not WITH.interleaves("official")
    assert WITH.prompt_at(sample, "official", [(1.0,)]) == WITH.prompt(sample, "official")


@pytest.mark.parametrize("line", ['{"text": "x"}', '{"text": "x", "start_time": -1}', "[]"])
def test_a_malformed_subtitle_line_is_named(tmp_path: Path, line: str) -> None:
    """Where its times are needed."""
    load(tmp_path, ROW)
    (tmp_path / "subtitle").mkdir()
    (tmp_path / "subtitle/001.jsonl").write_text(line)
    (sample,) = WITH.load(tmp_path).samples
    with pytest.raises(DatasetError, match=r"001\.jsonl"):
        WITH.prompt_at(sample, "official-interleaved", [(1.0,)])


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("F", "F"),
        ("Explain: C", "E"),
        ("Here: C", "H"),
        ("Final Answer: F.", "F"),
        ("Best option: C", "C"),
        ("The best option is C", "C"),
        ("A dog; so D", "A"),
        ("f", None),
        ("I don't know", None),
        ("", None),
    ],
)
def test_responses_are_read_as_by_the_official_parser(text: str, letter: str | None) -> None:
    """The first capital from A to H that is left after the deletions."""
    assert read_letter(text) == letter


# --- group scores

STEPS = {0: 0.0, 1: 6.25, 2: 25.0, 3: 56.25, 4: 100.0}
TWELFTHS = {0: 0.0, 1: 100 / 12, 2: 400 / 12, 3: 700 / 12, 4: 100.0}
TENTHS = {0: 0.0, 1: 10.0, 2: 20.0, 3: 50.0, 4: 100.0}
# By right (1) and wrong (0): number right, and the steps that each structure's chain reaches.
BY_HAND = {
    "0000": (0, 0, 0, 0), "0001": (1, 0, 0, 0), "0010": (1, 0, 0, 0), "0011": (2, 0, 0, 0),
    "0100": (1, 0, 0, 1), "0101": (2, 0, 0, 1), "0110": (2, 0, 0, 1), "0111": (3, 0, 0, 1),
    "1000": (1, 1, 1, 1), "1001": (2, 1, 1, 1), "1010": (2, 1, 2, 1), "1011": (3, 1, 2, 1),
    "1100": (2, 2, 2, 2), "1101": (3, 2, 2, 2), "1110": (3, 3, 3, 3), "1111": (4, 4, 4, 4),
}  # fmt: skip
TABLES = ((CHAIN, 1, STEPS), (SECOND_OR_THIRD, 2, TWELFTHS), (FIRST_OR_SECOND, 3, TENTHS))
MARKS = {"1": Mark.RIGHT, "0": Mark.WRONG, "-": Mark.UNREAD}
PATTERNS = ["".join(pattern) for pattern in product("10-", repeat=4)]


def group(kind: str, structure: str, pattern: str) -> Group:
    return Group(kind, structure, tuple(MARKS[mark] for mark in pattern))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_is_scored_as_the_publisher_scores_it(pattern: str) -> None:
    """An unread answer takes a right one away in relevance, and is a right one in logic."""
    number = pattern.count("1") - pattern.count("-")
    relevant = group("relevance", "any", pattern)
    assert score_group(relevant) == STEPS.get(number, 0.0)
    assert linear_score(relevant) == 25 * number
    for structure, column, points in TABLES:
        reached = BY_HAND[pattern.replace("-", "1")][column]
        assert score_group(group("logic", structure, pattern)) == points[reached], structure


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_is_scored_without_the_publishers_error(pattern: str) -> None:
    """An unread answer is a wrong one."""
    counted = BY_HAND[pattern.replace("-", "0")]
    mended = score_group(without_unread(group("relevance", "any", pattern)))
    assert mended == STEPS[counted[0]]
    for structure, column, points in TABLES:
        mended = score_group(without_unread(group("logic", structure, pattern)))
        assert mended == points[counted[column]], structure


def test_the_publishers_error_on_examples() -> None:
    """As executed: three right and an unread one, and nothing but unread ones."""
    assert score_group(group("relevance", "any", "111-")) == 25.0
    assert score_group(group("relevance", "any", "1110")) == 56.25
    for structure in (CHAIN, SECOND_OR_THIRD, FIRST_OR_SECOND):
        assert score_group(group("logic", structure, "----")) == 100.0


OUTCOMES = {"1": Outcome.CORRECT, "0": Outcome.WRONG, "-": Outcome.NO_ANSWER, "x": Outcome.FAILED}


def records(video: str, kind: str, pattern: str, scorer: str = "official@1") -> list[Record]:
    return [
        Record(
            id=f"videomme-v2/{video}-{number}", task="videomme-v2", variant="ordered",
            cluster=video, category=f"{kind}/level-{number}/head/head", outcome=OUTCOMES[mark],
            value=None if mark == "x" else float(mark == "1"), answer=None, gold="A",
            scorer=scorer,
        )
        for number, mark in enumerate(pattern, start=1)
    ]  # fmt: skip


def total(scorer: str, run: Sequence[Record]) -> float | None:
    function = TASK.scorers[scorer].total
    assert function is not None
    return function(run)


def test_the_score_is_the_mean_of_whole_groups() -> None:
    """25 and 100 points officially, 56.25 and 0 without the error; a failed item drops a group."""
    run = [
        *records("1", "relevance/any", "111-"), *records("2", "logic/1-2-3-4", "----"),
        *records("3", "logic/12-3-4", "1x11"), *records("4", "relevance/any", "11"),
    ]  # fmt: skip
    assert total("official", run) == pytest.approx(0.625)
    assert total("official+answer", run) == pytest.approx(0.625)
    for scorer in ("flexible", "video-r1", "lmms-eval"):
        assert total(scorer, run) == pytest.approx(0.28125)
    assert total("official", run[8:]) is None


def test_the_summary_has_the_publishers_figures() -> None:
    """Both kinds, the level of the last question, unread answers, and the score without them."""
    run = [*records("1", "relevance/any", "111-"), *records("2", "logic/1-2-3-4", "1100")]
    figures = TASK.extra({"videomme-v2": run[::-1]})
    assert figures == {
        "mean_of_items": 62.5, "relevance": 25.0, "logic": 25.0, "relevance_linear": 50.0,
        "level_4": 25.0, "unanswered": 1.0,
        "score_if_wrong": pytest.approx((56.25 + 25) / 2),
    }  # fmt: skip


def test_the_order_of_records_changes_nothing() -> None:
    """Answers come in any order; the chain follows the questions' numbers."""
    run = records("1", "logic/1-2-3-4", "1101")
    assert total("official", run[::-1]) == total("official", run) == 0.25


def test_other_scorers_count_unread_answers_as_wrong() -> None:
    """In their figures as well as in their score."""
    run = records("1", "relevance/any", "111-", "flexible@1")
    assert TASK.extra({"videomme-v2": run})["relevance"] == 56.25
    assert "score_if_wrong" not in TASK.extra({"videomme-v2": run})
    assert TASK.extra({"videomme-v2": run[:3]}) == {"mean_of_items": 100.0}
    assert TASK.extra({}) == {}


def summary_of(scorer: str, run: Sequence[Record], repeats: int = 1) -> TaskSummary:
    protocol = replace(TASK.protocol("official"), repeats=repeats)
    samples = tuple({one.id: question(one) for one in run}.values())
    planned = PlannedTask(
        selection=TASK.name, task=TASK, protocol=protocol, scorer=TASK.scorers[scorer],
        samples=samples, fingerprint="none",
    )  # fmt: skip
    return summarise(planned, {TASK.name: run})


def question(one: Record) -> Sample:
    return Sample(
        id=one.id, task=one.task, question="?", answer="A", kind=Kind.MULTIPLE_CHOICE,
        category=one.category, cluster=one.cluster,
    )  # fmt: skip


FOUR = [
    *records("1", "relevance/any", "111-"), *records("2", "logic/1-2-3-4", "1111"),
    *records("3", "logic/1-2-3-4", "0000"), *records("4", "relevance/any", "1111"),
]  # fmt: skip
"""Groups of 25 (56.25 without the error), 100, 0 and 100 points."""


@pytest.mark.parametrize(
    ("scorer", "points"),
    [("official", (25, 100, 0, 100)), ("flexible", (56.25, 100, 0, 100))],
)
def test_the_score_of_groups_has_an_interval(scorer: str, points: tuple[float, ...]) -> None:
    """That of a mean of four independent values: t with three degrees of freedom."""
    found = summary_of(scorer, FOUR)
    error = stdev(points) / 2
    assert found.score == pytest.approx(fmean(points))
    assert found.se == pytest.approx(error)
    assert found.ci95 is not None
    assert found.ci95 == pytest.approx(
        (max(0, fmean(points) - 3.182446 * error), min(100, fmean(points) + 3.182446 * error))
    )
    assert found.extra["mean_of_items"] == pytest.approx(100 * 11 / 16)


def test_one_group_has_no_interval_and_no_group_no_score() -> None:
    """One value shows no spread; the mean of items is no stand-in for the groups' score."""
    found = summary_of("official", FOUR[:4])
    assert (found.score, found.se, found.ci95) == (25.0, None, None)
    found = summary_of("official", FOUR[:3])
    assert (found.score, found.se, found.ci95, found.n_scored) == (None, None, None, 3)


def test_repeats_of_a_group_are_averaged_before_the_interval() -> None:
    """Two repeats with 100 and 0 points are one value of 50, for each of three groups."""
    second = [
        replace(one, repeat=1, value=1 - (one.value or 0), outcome=(
            Outcome.WRONG if one.value else Outcome.CORRECT
        ))
        for one in FOUR[4:]
    ]  # fmt: skip
    found = summary_of("official", [*FOUR[4:], *second], repeats=2)
    assert (found.score, found.se) == (50.0, 0.0)


@given(st.sampled_from(["official", "official+answer", "video-r1", "flexible"]), st.text())
def test_any_text_has_a_score(scorer: str, text: str) -> None:
    """No scorer fails on any text or leaves the range from 0 to 1."""
    item = Sample(
        id="videomme-v2/1-1", task="videomme-v2", question="?", answer="B", cluster="1",
        kind=Kind.MULTIPLE_CHOICE, category="relevance/any/none/a/b", options=tuple("stuvwxyz"),
        source={"options": OPTIONS},
    )  # fmt: skip
    assert TASK.scorers[scorer].score(item, text).value in (0.0, 1.0)


def test_the_official_preset_has_the_publishers_frames() -> None:
    """64 inner points, greedy, 4,096 new tokens."""
    protocol = TASK.protocol("official")
    assert protocol.frames is not None
    assert (protocol.frames.rule, protocol.frames.max_frames) == (FrameRule.INNER, 64)
    assert protocol.sampling is not None
    assert (protocol.sampling.temperature, protocol.sampling.max_tokens) == (0.0, 4096)
