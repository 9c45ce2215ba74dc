"""MVBench: both releases, prompts, presets, and the official and Video-R1 scorers."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import DatasetError
from harness.schema import FrameRule, Kind, Media, MediaKind, Outcome, Sample, Sampling
from tasks.mvbench import FOLDERS, MVBench
from tests.paths import SHARED
from tests.tasks.paper import paper_prompt

TASK = MVBench()
PAPER = SHARED / "data" / "video-r1-eval" / "eval_mvbench.json"

AFTER: dict[str, Any] = {
    "video": "ABCDE.mp4",
    "question": "What happened after the person took the cup?",
    "candidates": ["Ate.", "Sat down.", "Left."],
    "answer": "Left.",
    "start": 3.1,
    "end": 11.9,
}
OPPOSITE: dict[str, Any] = {
    "video": "166583.webm",
    "question": "What is the action?",
    "candidates": ["Not sure", "Folding", "Unfolding"],
    "answer": "Folding",
}
SYSTEM = (
    "Carefully watch the video and pay attention to the cause and sequence of events, the detail "
    "and movement of objects, and the action and pose of persons. Based on your observations, "
    "select the best option that accurately addresses the question.\n"
)
CHOICE = Sample(
    id="mvbench/action_sequence/0",
    task="mvbench",
    question="What happened after the person took the food?",
    answer="C",
    kind=Kind.MULTIPLE_CHOICE,
    category="action_sequence",
    cluster="star/Charades_v1_480/ABCDE.mp4",
    options=(
        "Ate the medicine.",
        "Tidied up the blanket.",
        "Put down the cup/glass/bottle.",
        "Took the box.",
    ),
)


def write_main(folder: Path, **tasks: list[dict[str, Any]]) -> None:
    (folder / "json").mkdir()
    for task, rows in tasks.items():
        (folder / "json" / f"{task}.json").write_text(json.dumps(rows))


def load_main(folder: Path, **tasks: list[dict[str, Any]]) -> tuple[Sample, ...]:
    write_main(folder, **tasks)
    return TASK.load(folder).samples


def load_cut(folder: Path, content: object) -> tuple[Sample, ...]:
    (folder / "test.json").write_text(json.dumps(content))
    return TASK.load(folder).samples


def test_a_timed_question_of_the_main_release_is_read(tmp_path: Path) -> None:
    """The clip's start and end, the gold letter and the video's folder come from task and row."""
    assert load_main(tmp_path, action_sequence=[AFTER]) == (
        Sample(
            id="mvbench/action_sequence/0",
            task="mvbench",
            question="What happened after the person took the cup?",
            answer="C",
            kind=Kind.MULTIPLE_CHOICE,
            category="action_sequence",
            cluster="star/Charades_v1_480/ABCDE.mp4",
            options=("Ate.", "Sat down.", "Left."),
            media=(
                Media(
                    path=tmp_path / "video/star/Charades_v1_480/ABCDE.mp4", start_s=3.1, end_s=11.9
                ),
            ),
        ),
    )


def test_other_tasks_show_the_whole_video(tmp_path: Path) -> None:
    """Times are read for the five tasks that ask about a span, and for no others."""
    timed = OPPOSITE | {"start": 1.0, "end": 2.0}
    (sample,) = load_main(tmp_path, action_antonym=[timed])
    assert sample.media == (Media(path=tmp_path / "video/ssv2_video/166583.webm"),)


def test_episodic_reasoning_is_a_folder_of_frames(tmp_path: Path) -> None:
    """Frames were taken at three per second, and the times count in seconds of the clip."""
    (sample,) = load_main(tmp_path, episodic_reasoning=[AFTER | {"video": "s01e02_seg02_clip_00"}])
    assert sample.media == (
        Media(
            path=tmp_path / "video/tvqa/frames_fps3_hq/s01e02_seg02_clip_00",
            kind=MediaKind.FRAMES,
            start_s=3.1,
            end_s=11.9,
            fps=3.0,
        ),
    )


def test_tasks_come_in_the_publishers_order(tmp_path: Path) -> None:
    """Samples are in order of publication, numbered by their row, whatever the files' order."""
    write_main(tmp_path, moving_count=[OPPOSITE], action_sequence=[AFTER, AFTER])
    questions = TASK.load(tmp_path)
    assert [sample.id for sample in questions.samples] == [
        "mvbench/action_sequence/0",
        "mvbench/action_sequence/1",
        "mvbench/moving_count/0",
    ]
    assert [file.name for file in questions.files] == ["action_sequence.json", "moving_count.json"]


def test_all_twenty_tasks_are_known(tmp_path: Path) -> None:
    """Every task of the notebook loads, the one without public videos among them."""
    samples = load_main(tmp_path, **{task: [AFTER] for task in FOLDERS})
    assert [sample.category for sample in samples] == list(FOLDERS)
    assert len(samples) == 20
    assert set(FOLDERS) >= set(TASK.source.undistributed) == {"fine_grained_pose"}


@pytest.mark.parametrize("folder", ["star/Charades_v1_480", "clevrer/video_validation"])
def test_videos_of_the_late_archive_are_found_where_it_unpacks(tmp_path: Path, folder: str) -> None:
    """A video missing from its folder is taken from ``data0613``, and from there only then."""
    task = {"star/Charades_v1_480": "action_sequence", "clevrer/video_validation": "moving_count"}
    usual, late = tmp_path / "video" / folder, tmp_path / "video/data0613" / folder
    for place, names in ((usual, ["both.mp4"]), (late, ["both.mp4", "late.mp4"])):
        place.mkdir(parents=True)
        for name in names:
            (place / name).touch()
    rows = [AFTER | {"video": name} for name in ("both.mp4", "late.mp4", "nowhere.mp4")]
    samples = load_main(tmp_path, **{task[folder]: rows})
    assert [sample.media[0].path for sample in samples] == [
        usual / "both.mp4",
        late / "late.mp4",
        usual / "nowhere.mp4",
    ]
    assert samples[1].cluster == f"{folder}/late.mp4"


@pytest.mark.parametrize("task", ["action_sequence", "Action Sequence"])
def test_the_release_with_cut_videos_has_no_times(tmp_path: Path, task: str) -> None:
    """Branch ``video`` names its own folders; what it cut already is not cut again."""
    row = AFTER | {"video": "ABCDE_3.1_11.9.mp4"}
    content = {"root": {task: "star/Charades_segment/"}, "meta": {task: [row]}}
    (sample,) = load_cut(tmp_path, content)
    assert sample.id == "mvbench/action_sequence/0"
    assert sample.cluster == "star/Charades_segment/ABCDE_3.1_11.9.mp4"
    assert sample.media == (Media(path=tmp_path / "star/Charades_segment/ABCDE_3.1_11.9.mp4"),)


def test_the_cut_release_is_told_by_its_test_file(tmp_path: Path) -> None:
    """Branch ``video`` has a ``json`` folder as well, which is not what is read there."""
    write_main(tmp_path, action_sequence=[AFTER, AFTER])
    content = {
        "root": {"Fine-grained Pose": "nturgbd_convert", "action_antonym": "ssv2_video_mp4"},
        "meta": {"Fine-grained Pose": [OPPOSITE], "action_antonym": [OPPOSITE]},
    }
    samples = load_cut(tmp_path, content)
    assert [sample.category for sample in samples] == ["action_antonym", "fine_grained_pose"]


def test_of_two_equal_candidates_the_last_is_gold(tmp_path: Path) -> None:
    """The notebook keeps the last position at which the answer stands."""
    row = OPPOSITE | {"candidates": ["Folding", "Folding", "Unfolding"]}
    (sample,) = load_main(tmp_path, action_antonym=[row])
    assert sample.answer == "B"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (AFTER | {"answer": "left."}, "field 'answer': expected one of the candidates"),
        (AFTER | {"candidates": []}, "field 'answer': expected one of the candidates"),
        (AFTER | {"candidates": [1, 2]}, "field 'candidates': expected a list of strings"),
        (AFTER | {"question": 3}, "field 'question': expected a string"),
        (AFTER | {"video": None}, "field 'video': expected a string"),
        (AFTER | {"start": None}, "field 'start': expected a number of seconds"),
        (AFTER | {"end": "11.9"}, "field 'end': expected a number of seconds"),
        (AFTER | {"video": "../../../../secret.mp4"}, "leaves the data root"),
        (AFTER | {"video": "../../../../data/x.mp4"}, "leaves the data root"),
    ],
)
def test_a_malformed_row_is_named(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    """The error names file and row and says what was expected."""
    with pytest.raises(DatasetError, match=rf"action_sequence\.json, row 1: .*{message}"):
        load_main(tmp_path, action_sequence=[AFTER, row])


def test_a_file_of_no_known_task_is_refused(tmp_path: Path) -> None:
    """A misspelt file name would otherwise be a task that is silently left out."""
    with pytest.raises(DatasetError, match="'action_sequnce' is not one of MVBench's"):
        load_main(tmp_path, action_sequnce=[AFTER])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "expected an object with the objects 'root' and 'meta'"),
        ({"root": {}}, "expected an object with the objects 'root' and 'meta'"),
        ({"root": {}, "meta": {"action_count": []}}, "'action_count' has no folder"),
        ({"root": {"dance": "d"}, "meta": {"dance": []}}, "'dance' has no folder or is not a task"),
        (
            {"root": {"action_count": "d"}, "meta": {"action_count": {}}},
            "action_count: expected a list of objects",
        ),
        (
            {"root": {"action_count": "d"}, "meta": {"action_count": [{}]}},
            r"test\.json/meta/action_count, row 0: field 'video'",
        ),
        (
            {"root": {"action_count": ".."}, "meta": {"action_count": [AFTER]}},
            "row 0: media path '../ABCDE.mp4' leaves the data root",
        ),
    ],
)
def test_a_malformed_test_file_is_named(tmp_path: Path, content: object, message: str) -> None:
    """Faults of branch ``video`` name file, task and row as well."""
    with pytest.raises(DatasetError, match=message) as error:
        load_cut(tmp_path, content)
    assert "test.json" in str(error.value)


def test_a_folder_without_questions_is_an_error(tmp_path: Path) -> None:
    """An empty folder is no empty benchmark."""
    with pytest.raises(DatasetError, match=r"no question file; looked for test\.json, json"):
        TASK.load(tmp_path)


def test_the_official_prompt_is_the_notebooks() -> None:
    """The instruction stands in the system turn and again before the question."""
    prompt = TASK.prompt(CHOICE, "official")
    assert prompt.system == SYSTEM
    assert prompt.prefill == "Best option:("
    assert prompt.text == (
        f"{SYSTEM}Question: What happened after the person took the food?\nOptions:\n"
        "(A) Ate the medicine.\n(B) Tidied up the blanket.\n(C) Put down the cup/glass/bottle.\n"
        "(D) Took the box.\nOnly give the best option."
    )


def test_the_paper_asks_with_its_own_prompt() -> None:
    """Under ``video-r1`` there is no system text, no prefill, and ``A.`` instead of ``(A)``."""
    prompt = TASK.prompt(CHOICE, "video-r1")
    assert (prompt.system, prompt.prefill) == (None, "")
    assert "took the food?Options:\nA. Ate the medicine.\nB. Tidied" in prompt.text


@pytest.mark.parametrize(
    ("text", "official", "paper"),
    [
        ("C", True, True),
        ("(C) Put down the cup/glass/bottle.", True, False),
        ("C.", True, False),
        ("c", True, False),
        ("The answer is C", False, False),
        ("Option C", False, False),
        ("answer: C", False, False),
        ("Put down the cup/glass/bottle.", False, False),
        ("a C", False, False),
        ("A person put down the cup; C", False, False),
        ("", True, False),
        (".", True, False),
        ("(", True, False),
        (")", False, False),  # the notebook sees "()"
        ("(C", True, False),
        ("(D", False, False),
        ("<think>A?</think><answer>C</answer>", False, True),
        ("C) Put down the cup/glass/bottle.", True, False),
        ("C)", True, False),
        ("C)Put down", True, False),
        ("(C)", True, False),
        ("(C).", True, False),
        (" C\n", True, True),
        ("C\nbecause it was put down", True, False),
        ("D\nC", False, False),
        ("D) Took the box.", False, False),
        ("B", False, False),
        ("CD", False, False),
    ],
)
def test_replies_score_as_the_two_sources_score_them(
    text: str, official: bool, paper: bool
) -> None:
    """Every response of the comparison of harnesses, and replies that continue the prefill."""
    assert TASK.scorers["official"].score(CHOICE, text).value == official
    assert TASK.scorers["video-r1"].score(CHOICE, text).value == paper


@pytest.mark.parametrize(
    ("text", "outcome", "answer"),
    [
        ("C) Put down the cup/glass/bottle.", Outcome.CORRECT, "C"),
        ("(C) Put down the cup/glass/bottle.", Outcome.CORRECT, "C"),
        ("c.", Outcome.CORRECT, "C"),
        ("", Outcome.CORRECT, None),
        ("C)Put", Outcome.CORRECT, None),
        ("D) Took the box.", Outcome.WRONG, "D"),
        ("a C", Outcome.WRONG, "A"),
        ("E", Outcome.NO_ANSWER, None),
        ("The answer is C", Outcome.NO_ANSWER, None),
        ("<think>A?</think><answer>C</answer>", Outcome.NO_ANSWER, None),
    ],
)
def test_an_unreadable_reply_is_not_a_wrong_one(
    text: str, outcome: Outcome, answer: str | None
) -> None:
    """The official rule counts some replies without a letter as correct; others are no answer."""
    score = TASK.scorers["official"].score(CHOICE, text)
    assert (score.outcome, score.answer) == (outcome, answer)


def test_tagged_reasoning_has_a_scorer_of_its_own() -> None:
    """The official rule after ``<answer>`` extraction reads what the plain rule does not."""
    text = "<think>A?</think><answer>(C) Put down</answer>"
    assert TASK.scorers["official+answer"].score(CHOICE, text).value == 1.0


@given(
    st.sampled_from(sorted(TASK.scorers.keys() - {"lmms-eval"})),
    st.text() | st.text("aCc(). \n<answer>/"),
)
def test_any_text_has_a_score(scorer: str, text: str) -> None:
    """No scorer fails on any text, and every reply is right or not."""
    assert TASK.scorers[scorer].score(CHOICE, text).value in (0.0, 1.0)


def test_every_question_weighs_the_same() -> None:
    """The headline is correct over total in both suites."""
    for scorer in TASK.scorers.values():
        assert scorer.aggregation.name == "micro"
        assert scorer.aggregation.levels("action_sequence") == ()


def test_the_official_preset_cuts_and_samples_as_the_notebook() -> None:
    """16 segment middles of the cut clip, and 100 new tokens without sampling."""
    protocol = TASK.protocol("official")
    assert (protocol.task, protocol.scorer) == ("mvbench@2", "official@2")
    assert protocol.sampling == Sampling(temperature=0.0, max_tokens=100)
    assert protocol.frames is not None
    assert (protocol.frames.rule, protocol.frames.max_frames) == (FrameRule.SEGMENTS, 16)
    assert not protocol.frames.whole


def test_the_paper_preset_shows_whole_videos() -> None:
    """Video-R1 ignored the times of MVBench, and the preset's hash says so."""
    protocol = TASK.protocol("video-r1")
    assert protocol.frames is not None
    assert protocol.frames.whole
    assert (protocol.frames.rule, protocol.frames.max_frames) == (FrameRule.VIDEO_R1, 16)
    assert '"whole":true' in protocol.canonical()


@pytest.mark.skipif(not PAPER.is_file(), reason=f"Video-R1's rows are not at {PAPER}")
def test_video_r1_asks_the_questions_of_its_own_file(tmp_path: Path) -> None:
    """All 4,000 prompts and answers, the rows given back the publisher's fields."""
    rows = json.loads(PAPER.read_text())
    asked = [
        {
            "video": row["video"],
            "question": row["question"],
            "candidates": [
                row["answer"] if text == row["answer"].strip() else text
                for text in (option.partition(". ")[2] for option in row["options"])
            ],
            "answer": row["answer"],
        }
        for row in rows
    ]
    samples = load_main(tmp_path, action_antonym=asked)
    rule = TASK.scorers["video-r1"]
    assert len(samples) == 4_000
    for item, row in zip(samples, rows, strict=True):
        assert TASK.prompt(item, "video-r1").text == paper_prompt(row), item.id
        assert rule.score(item, row["solution"]).value == 1, item.id
