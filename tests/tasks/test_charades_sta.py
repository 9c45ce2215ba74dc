"""Charades-STA: three forms of the data, prompts, the field's parsers on one table, recall."""

import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from harness.errors import DatasetError
from harness.schema import FrameRule, Kind, Outcome, Record, Sample
from harness.scoring.spans import Span, read_span
from tasks.charades_sta import CharadesSTA
from tasks.span_parsers import (
    read_time_r1,
    read_time_r1_reward,
    read_timechat,
    read_timelens,
    read_videoauto,
    round_span,
)

TASK = CharadesSTA()
LINES = "ABCDE 4.3 12.5##person opens a door.\nABCDE 0.0 5.0##person sits down.\n"
BY_VIDEO = {
    "ABCDE": {
        "duration": 30.96,
        "timestamps": [[4.3, 12.5], [0.0, 5.0]],
        "sentences": ["person opens a door.", "person sits down."],
    }
}
ROWS = [
    {"video": "ABCDE.mp4", "caption": "person opens a door.", "timestamp": [4.3, 12.5]},
    {"video": "ABCDE.mp4", "caption": "person sits down.", "timestamp": [0.0, 5.0]},
]


def test_all_forms_of_the_data_are_the_same_questions(tmp_path: Path) -> None:
    """The original text, the JSON object by video, and the hub's rows; ids are those of content."""
    (tmp_path / "charades_sta_test.txt").write_text(LINES)
    lines = TASK.load(tmp_path).samples
    (tmp_path / "charades_sta_test.txt").unlink()
    (tmp_path / "test.json").write_text(json.dumps(BY_VIDEO))
    by_video = TASK.load(tmp_path).samples
    (tmp_path / "test.json").unlink()
    (tmp_path / "data").mkdir()
    table = pyarrow.Table.from_pylist(ROWS)
    parquet.write_table(table, tmp_path / "data/test-00000-of-00001.parquet")
    assert TASK.load(tmp_path).samples == by_video == lines
    first = lines[0]
    assert (first.kind, first.answer, first.cluster) == (Kind.SPAN, "4.3 to 12.5", "ABCDE")
    assert first.media[0].path == tmp_path / "Charades_v1_480/ABCDE.mp4"
    assert first.id.startswith("charades-sta/ABCDE/")


def test_half_precision_times_are_read_as_the_tenths_that_they_stand_for(tmp_path: Path) -> None:
    """All of them up to 99.9 s, longer than any video; the hub's file says 24.296875 for 24.3."""
    times = [tenths / 10 for tenths in range(1000)]
    stored = pyarrow.array(
        [[np.float16(start), np.float16(start + 1)] for start in times],
        type=pyarrow.list_(pyarrow.float16()),
    )
    columns = {
        "video": ["ABCDE.mp4"] * 1000, "caption": [f"{time}" for time in times],
        "timestamp": stored,
    }  # fmt: skip
    (tmp_path / "data").mkdir()
    parquet.write_table(pyarrow.table(columns), tmp_path / "data/test-00000-of-00001.parquet")
    read = [sample.answer for sample in TASK.load(tmp_path).samples]
    assert read == [f"{time:g} to {round(time + 1, 1):g}" for time in times]


@pytest.mark.parametrize("span", [None, [1.0], [1.0, 2.0, 3.0], ["a", "b"], [1.0, None]])
def test_a_row_without_two_times_is_named(tmp_path: Path, span: Any) -> None:
    """With file and row."""
    (tmp_path / "data").mkdir()
    row = {"video": "A.mp4", "caption": "x", "timestamp": span}
    table = pyarrow.Table.from_pylist([row])
    parquet.write_table(table, tmp_path / "data/test-00000-of-00001.parquet")
    with pytest.raises(DatasetError, match=r"parquet, row 0: .*start and end in seconds"):
        TASK.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("charades_sta_test.txt", "ABCDE 4.3##x", "expected 'VIDEO start end##sentence'"),
        ("charades_sta_test.txt", "ABCDE 4.3 12.5 x", "expected 'VIDEO start end##sentence'"),
        ("charades_sta_test.txt", "ABCDE 4.3 soon##x", "numbers of seconds"),
        ("charades_sta_test.txt", "LEOL6 9.0 3.0##x", "a time after the start"),
        ("test.json", "[]", "an object by video"),
        ("test.json", '{"A": {"timestamps": [[1, 2]], "sentences": []}}', "as many timestamps"),
        ("test.json", '{"A": {"timestamps": [1], "sentences": ["x"]}}', "as many timestamps"),
        ("test.json", '{"A": {"timestamps": [[1, 2]], "sentences": [3]}}', "a string"),
        ("charades_sta_test.txt", "../../x 1 2##x", "leaves the data root"),
    ],
)
def test_malformed_data_is_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    """With file and line or video."""
    (tmp_path / name).write_text(content)
    with pytest.raises(DatasetError, match=message) as caught:
        TASK.load(tmp_path)
    assert name in str(caught.value)


def question() -> Sample:
    return Sample(
        id="charades-sta/A/1", task="charades-sta", question="When?", answer="24.3 to 30.4",
        kind=Kind.SPAN, category="test", cluster="A", source={"sentence": "person opens a door."},
    )  # fmt: skip


def test_the_official_prompt_is_timechats() -> None:
    """Its spelling and the removed full stop included."""
    assert TASK.prompt(question(), "official").text == (
        "You are given a video from the charades dataset. Please find the visual event described by"
        " a sentence in the video, determining its starting and ending times. The format should be:"
        " 'The event happens in the start time - end time'. For example, The event 'person turn a"
        " light on' happens in the 24.3 - 30.4 seonds. Now I will give you the textual sentence:"
        " person opens a door. Please return its start time and end time."
    )
    assert TASK.prompt(question(), "time-r1").text.startswith(
        'To accurately pinpoint the event "person opens a door." in the video, determine'
    )
    assert TASK.prompt(question(), "video-r1").text.endswith(
        "(e.g., 12.5 to 17.8) within the <answer> </answer> tags."
    )


OK, NO = Span(24.3, 30.4), None
BACK, WHOLE = Span(30.4, 24.3), Span(24.0, 30.0)
EARLY, FIRST = Span(2.0, 5.0), Span(10.0, 12.0)
THOUGHT = "<think>maybe 2 to 5</think>"
READERS = (
    read_timechat, read_timelens, read_videoauto, read_time_r1, read_time_r1_reward, read_span,
)  # fmt: skip
# As the projects' own functions read them; the last column is ours.
TABLE: list[tuple[str, tuple[Span | None, ...]]] = [
    ("The event happens in 24.3 - 30.4 seconds.", (OK, OK, OK, NO, NO, OK)),
    ("24.3 to 30.4", (NO, OK, OK, OK, NO, OK)),
    ("between 24.3 and 30.4 seconds", (NO, OK, OK, OK, NO, OK)),
    ("From 24.3s to 30.4s", (NO, WHOLE, NO, NO, NO, OK)),
    ("[24.3, 30.4]", (NO, OK, OK, NO, NO, OK)),
    ('{"time": [24.3, 30.4]}', (NO, OK, OK, NO, NO, OK)),
    ("starts at 24.3 seconds and ends at 30.4 seconds", (NO, OK, NO, NO, NO, OK)),
    ("Start: 24.3\nEnd: 30.4", (OK, OK, NO, NO, NO, OK)),
    ("00:24 - 00:30", (Span(0, 24), WHOLE, Span(0, 24), NO, NO, WHOLE)),
    ("0:24.3 to 0:30.4", (NO, OK, Span(0, 24.3), Span(24.3, 0), NO, OK)),
    ("30.4 - 24.3", (OK, BACK, OK, NO, NO, BACK)),
    ("10 - 12 and 24.3 - 30.4", (FIRST, FIRST, FIRST, Span(12, 24.3), NO, NO)),
    (f"{THOUGHT}<answer>24.3 to 30.4</answer>", (NO, EARLY, EARLY, OK, OK, OK)),
    (f"{THOUGHT}<answer>24.3-30.4</answer>", (OK, OK, EARLY, EARLY, NO, OK)),
    ("<answer>24.3 to 30.4</answer> wait, 1 to 2", (NO, OK, OK, Span(1, 2), OK, OK)),
    ("<answer>24.3 to 30.4", (NO, OK, OK, OK, NO, OK)),
    ("24 to 30 seconds (0.81 to 1.0)", (NO, WHOLE, WHOLE, Span(0.81, 1.0), NO, WHOLE)),
    ("I cannot find it.", (NO, NO, NO, NO, NO, NO)),
    ("", (NO, NO, NO, NO, NO, NO)),
    ("24.3", (NO, NO, NO, NO, NO, NO)),
]


@pytest.mark.parametrize(("text", "spans"), TABLE)
def test_the_fields_parsers_read_what_they_read_at_home(
    text: str, spans: tuple[Span | None, ...]
) -> None:
    """TimeChat, TimeLens, VideoAuto-R1, Time-R1's evaluation and reward, and ours."""
    assert tuple(read(text) for read in READERS) == spans


@pytest.mark.parametrize("filler", ["9", "1.", "1 ", "1 to ", "9:", ".", "start 1\n"])
def test_long_replies_cost_little(filler: str) -> None:
    """The originals need hours for 100,000 digits."""
    begun = time.perf_counter()
    for read in READERS:
        read(filler * (100_000 // len(filler)))
    assert time.perf_counter() - begun < 10


@given(st.text("0123456789.- to", max_size=12))
def test_numbers_are_those_of_the_original_expressions(text: str) -> None:
    """Leftmost pair with a hyphen, last pair with single blanks."""
    first = re.search(r"(\d+\.*\d*)\s*-\s*(\d+\.*\d*)", text)
    numbers = [] if first is None else first.groups()
    if all(re.fullmatch(r"\d+\.?\d*", number) for number in numbers) and numbers:
        assert read_timechat(text) == Span(*sorted(map(float, numbers)))
    pairs = re.findall(r"(\d+\.?\d*) (?:to|and) (\d+\.?\d*)", text)
    assert read_time_r1(text) == (Span(*map(float, pairs[-1])) if pairs else None)


def test_timechat_reads_clock_times_of_named_sentences() -> None:
    """Hours, minutes and seconds, one per sentence; a number with two points is no span."""
    assert read_timechat("It starts now!\nstart 00:00:18\nend 00:00:23") == Span(0, 0)
    assert read_timechat("start: five\nend: six") is None
    assert read_timechat("5.. - 6..") is None


def test_timelens_rounds_before_it_scores() -> None:
    """Its inference writes whole seconds down: 24 to 30 against 24.3 to 30.4 is 5.7 / 6.4."""
    assert round_span(Span(24.3, 30.4)) == Span(24, 30)
    assert round_span(None) is None
    score = TASK.scorers["timelens"].score(question(), "24.3 to 30.4")
    assert score.value == pytest.approx(5.7 / 6.4)


@pytest.mark.parametrize(
    ("scorer", "value"),
    [
        ("official", 1.0), ("official+answer", 1.0), ("video-r1", 1.0), ("flexible", 1.0),
        ("videoauto-r1", 0.0), ("time-r1", 0.0), ("time-r1-reward", 0.0),
    ],
)  # fmt: skip
def test_scorers_differ_by_their_parser_alone(scorer: str, value: float) -> None:
    """On a thought that names other times, and an answer with a hyphen."""
    found = TASK.scorers[scorer].score(question(), f"{THOUGHT}<answer>24.3-30.4</answer>")
    assert found.value == value


def records(scorer: str, *values: float | None) -> list[Record]:
    return [
        Record(
            id=f"charades-sta/A/{number}", task="charades-sta", variant="ordered", cluster="A",
            category="test", value=value, answer=None, gold="5 to 10", scorer=scorer,
            outcome=Outcome.FAILED if value is None else Outcome.PARTIAL,
        )
        for number, value in enumerate(values)
    ]  # fmt: skip


def test_recall_counts_an_overlap_at_the_threshold() -> None:
    """80, 60 and 40 % of five answers, and 60, 40 and 20 % by Time-R1's exclusive thresholds."""
    values = (1.0, 0.5, 0.3, 0.7, 0.0, None)
    inclusive = TASK.extra({"charades-sta": records("official@1", *values)})
    assert inclusive == {"recall_at_0.3": 80.0, "recall_at_0.5": 60.0, "recall_at_0.7": 40.0}
    strict = TASK.extra({"charades-sta": records("time-r1@1", *values)})
    assert strict == {"recall_at_0.3": 60.0, "recall_at_0.5": 40.0, "recall_at_0.7": 20.0}
    assert TASK.extra({}) == {}


@given(
    st.sampled_from(sorted(TASK.scorers.keys() - {"lmms-eval"})),
    st.text() | st.text("0123456789.:-, toands[]<answer>/"),
)
def test_any_text_has_a_score(scorer: str, text: str) -> None:
    """No scorer fails on any text or leaves the range from 0 to 1."""
    value = TASK.scorers[scorer].score(question(), text).value
    assert value is not None
    assert 0 <= value <= 1


def test_the_official_preset_is_timechats() -> None:
    """96 frames, sampled with temperature 1."""
    protocol: Any = TASK.protocol("official")
    assert (protocol.frames.rule, protocol.frames.max_frames) == (FrameRule.LINSPACE, 96)
    assert (protocol.sampling.temperature, protocol.sampling.top_p) == (1.0, 0.8)
