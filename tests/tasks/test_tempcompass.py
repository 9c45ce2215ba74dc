"""TempCompass: both layouts, the recast, prompts, rules against published verdicts, match rate."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from harness.errors import DatasetError
from harness.schema import FrameRule, Kind, Outcome, Record, Sample, Sampling
from harness.scoring import prompts
from tasks.tempcompass import TempCompass
from tasks.tempcompass_rules import TASKS
from tests.paths import SHARED

TASK = TempCompass()
DATA = SHARED / "data" / "tempcompass"
published = pytest.mark.skipif(not DATA.is_dir(), reason=f"the 7540 questions are not at {DATA}")

JUMP = {"question": "What does the boy do?\nA. jump\nB. run", "answer": "A. jump"}
RUN = {"question": "What is the boy doing?\nA. running\nB. jumping", "answer": "B. jumping"}
IS_IT = {"question": "Is the boy jumping?", "answer": "yes"}
IS_NOT = {"question": "Is the boy running?", "answer": "no"}
CAPTIONS = {
    "question": "Which caption matches the video better?\n"
    "Caption A: He runs.\nCaption B: He jumps.",
    "answer": "Caption B: He jumps.",
}
OPTIONS = {
    "question": "Which description is a more suitable match for the video?\n"
    "Option 1: A boy (left) jumps.\nOption 2: A boy runs",
    "answer": "Option 1: A boy (left) jumps.",
}
CAPTIONING = {
    "question": "Pick one.\nInformation A: {'subject': 'boy', 'action': 'running'}\n"
    "Information B: {'subject': 'boy', 'action': 'jumping'}\nGenerated Caption:",
    "answer": "B. jumping",
}
ROWS: dict[str, list[dict[str, str]]] = {
    "multi-choice": [JUMP, RUN],
    "yes_no": [IS_IT, IS_NOT],
    "caption_matching": [CAPTIONS, OPTIONS],
    "captioning": [CAPTIONING],
}
VIDEO = "1034419625_reverse"


def write(
    folder: Path, changed: dict[str, list[Any]] | None = None, aspect: str = "action"
) -> Path:
    """Write the GitHub layout with one video and aspect; `changed` replaces tasks' questions."""
    (folder / "questions").mkdir()
    for task, items in (ROWS | (changed or {})).items():
        content = {VIDEO: {aspect: items}}
        (folder / "questions" / f"{task}.json").write_text(json.dumps(content))
    described: dict[str, Any] = {"action": {"type": "fine-grained action"}, "speed": None}
    (folder / "meta_info.json").write_text(
        json.dumps({VIDEO: {"eval_dim": described | {"order": []}}})
    )
    return folder


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Sample]:
    """The small questions above by ``task/position``."""
    samples = TASK.load(write(tmp_path_factory.mktemp("tempcompass"))).samples
    return {f"{s.id.split('/')[1]}/{s.id.split('/')[-1]}": s for s in samples}


def score(scorer: str, item: Sample, text: str) -> tuple[float | None, Outcome]:
    result = TASK.scorers[scorer].score(item, text)
    return result.value, result.outcome


# --- loading


@published
def test_published_counts() -> None:
    """7540 questions; tasks, aspects and fine-grained types were counted in the published files."""
    samples = TASK.load(DATA).samples
    assert len({s.id for s in samples}) == len(samples) == 7540
    assert len({s.cluster for s in samples}) == 410
    aspects = ("action", "direction", "speed", "order", "attribute_change")
    counts = {
        "multi-choice": (338, 335, 317, 302, 288),
        "yes_no": (592, 494, 537, 382, 448),
        "caption_matching": (297, 327, 291, 300, 288),
        "captioning": (396, 436, 388, 400, 384),
    }
    assert Counter(tuple(s.category.split("/")[:2]) for s in samples) == {
        (task, aspect): count
        for task, row in counts.items()
        for aspect, count in zip(aspects, row, strict=True)
    }
    choices = [s for s in samples if s.category.startswith("multi-choice")]
    assert Counter(s.category.split("/")[2] for s in choices) == {
        "fine-grained action": 153,
        "coarse-grained action": 185,
        "object motion": 243,
        "camera motion": 92,
        "absolute speed": 124,
        "relative speed": 193,
        "order": 302,
        "color & light change": 78,
        "size & shape change": 132,
        "combined change": 60,
        "other change": 18,
    }
    assert Counter(len(s.options) for s in choices) == {3: 899, 4: 675, 2: 6}
    assert Counter(s.answer for s in choices) == {"A": 461, "B": 457, "C": 505, "D": 157}
    yes_no = Counter(s.source["answer"] for s in samples if s.category.startswith("yes_no"))
    assert yes_no == {"yes": 1226, "no": 1227}


def test_one_row_becomes_one_sample(tmp_path: Path) -> None:
    """Id, category, cluster and media follow from the place in the file; ids stay strings."""
    second = TASK.load(write(tmp_path)).samples[1]
    assert second == Sample(
        id=f"tempcompass/multi-choice/{VIDEO}/action/1",
        task="tempcompass",
        question="What is the boy doing?",
        answer="B",
        kind=Kind.MULTIPLE_CHOICE,
        category="multi-choice/action/fine-grained action",
        cluster=VIDEO,
        options=("running", "jumping"),
        media=second.media,
        source=RUN,
    )
    assert [media.path for media in second.media] == [tmp_path / "videos" / f"{VIDEO}.mp4"]


def test_order_is_its_own_type(tmp_path: Path) -> None:
    """The metadata names no type for the order of events."""
    samples = TASK.load(write(tmp_path, aspect="order")).samples
    assert samples[0].category == "multi-choice/order/order"


def test_recast_as_multiple_choice(items: dict[str, Sample]) -> None:
    """Every task has options and a letter, captioning those of the first multiple choice."""
    recast = {name: (s.question, s.options, s.answer) for name, s in items.items()}
    assert recast == {
        "multi-choice/0": ("What does the boy do?", ("jump", "run"), "A"),
        "multi-choice/1": ("What is the boy doing?", ("running", "jumping"), "B"),
        "yes_no/0": ("Is the boy jumping?", ("yes", "no"), "A"),
        "yes_no/1": ("Is the boy running?", ("yes", "no"), "B"),
        "caption_matching/0": (
            "Which caption matches the video better?",
            ("He runs.", "He jumps."),
            "B",
        ),
        "caption_matching/1": (
            "Which description is a more suitable match for the video?",
            ("A boy (left) jumps.", "A boy runs"),
            "A",
        ),
        "captioning/0": ("What does the boy do?", ("jump", "run"), "A"),
    }
    assert {s.kind for s in items.values()} == {Kind.MULTIPLE_CHOICE}


def test_options_with_odd_spacing(tmp_path: Path) -> None:
    """Two real slips are read: a space before the letter, none after it."""
    odd = {"question": "Where?\nA. up\n B. down\nC.Both", "answer": "C.Both"}
    first = TASK.load(write(tmp_path, {"multi-choice": [odd]})).samples[0]
    assert (first.options, first.answer) == (("up", "down", "Both"), "C")


def test_hub_layout_gives_the_same_questions(tmp_path: Path) -> None:
    """The parquet files have no types and bring the judge's question themselves."""
    (tmp_path / "github").mkdir()
    github = TASK.load(write(tmp_path / "github"))
    recast = {"mc_question": JUMP["question"], "mc_answer": JUMP["answer"]}
    for task, rows in ROWS.items():
        extra = recast if task == "captioning" else {}
        table = [row | extra | {"video_id": VIDEO, "dim": "action"} for row in rows]
        folder = tmp_path / "hub" / task
        folder.mkdir(parents=True)
        parquet.write_table(
            pyarrow.Table.from_pylist(table), folder / "test-00000-of-00001.parquet"
        )
    hub = TASK.load(tmp_path / "hub")
    same = [replace(s, category="", media=()) for s in github.samples]
    assert [replace(s, category="", media=()) for s in hub.samples] == same
    assert hub.samples[0].category == "multi-choice/action"
    assert (len(github.files), len(hub.files)) == (5, 4)


@pytest.mark.parametrize(
    ("task", "row", "message"),
    [
        ("multi-choice", {"question": "What?", "answer": "A. x"}, "field 'question'"),
        ("multi-choice", {"question": "What?\nB. x", "answer": "B. x"}, "field 'question'"),
        ("multi-choice", {"question": "What?\nA. x\nhm", "answer": "A. x"}, "field 'question'"),
        (
            "multi-choice",
            {"question": "?" + "".join(f"\n{x}. x" for x in "ABCDE"), "answer": "A. x"},
            "field 'question'",
        ),
        ("multi-choice", {"question": "What?\nA. x\nB. y", "answer": "C. z"}, "field 'answer'"),
        ("multi-choice", {"question": "What?\nA. x\nB. y", "answer": ""}, "field 'answer'"),
        ("multi-choice", {"question": 3, "answer": "A. x"}, "field 'question'"),
        ("multi-choice", {"question": "What?\nA. x\nB. y"}, "field 'answer'"),
        ("yes_no", {"question": "Is it?", "answer": "maybe"}, "field 'answer'"),
        ("caption_matching", CAPTIONS | {"answer": "He jumps."}, "field 'answer'"),
        ("caption_matching", {"question": "Which?\nCaption A", "answer": "Caption A"}, "'answer'"),
        ("caption_matching", {"question": "Which?\n: x", "answer": ": x"}, "field 'answer'"),
        ("captioning", {"question": "Caption:"}, "field 'answer'"),
    ],
)
def test_malformed_row_is_named(tmp_path: Path, task: str, row: Any, message: str) -> None:
    """The error names the file, the row, the video and aspect, and the field."""
    with pytest.raises(DatasetError, match=message) as caught:
        TASK.load(write(tmp_path, {task: [ROWS[task][0], row]}))
    where = f"{tmp_path / 'questions' / task}.json, row 1 of {VIDEO}/action"
    assert str(caught.value).startswith(where)


def test_missing_metadata_is_an_error(tmp_path: Path) -> None:
    """GitHub questions come with metadata; without it the types are not silently lost."""
    write(tmp_path)
    (tmp_path / "meta_info.json").unlink()
    with pytest.raises(DatasetError, match=r"meta_info\.json"):
        TASK.load(tmp_path)


@pytest.mark.parametrize("aspect", ["speed", "direction"])
def test_missing_type_is_an_error(tmp_path: Path, aspect: str) -> None:
    """A video-aspect that the metadata does not describe is named."""
    with pytest.raises(DatasetError, match=f"no type for {VIDEO}/{aspect}"):
        TASK.load(write(tmp_path, aspect=aspect))


def test_captioning_needs_a_choice_on_its_aspect(tmp_path: Path) -> None:
    """A caption that no multiple-choice question belongs to cannot be judged or recast."""
    with pytest.raises(DatasetError, match=f"no multi-choice question on {VIDEO}/action"):
        TASK.load(write(tmp_path, {"multi-choice": []}))


@pytest.mark.parametrize("content", ["[]", '{"1": []}', '{"1": {"action": 1}}'])
def test_file_of_another_shape_is_refused(tmp_path: Path, content: str) -> None:
    """Questions are nested by video and aspect, and the error says so."""
    write(tmp_path)
    (tmp_path / "meta_info.json").write_text('{"1": {"eval_dim": {"action": {"type": "x"}}}}')
    (tmp_path / "questions" / "multi-choice.json").write_text(content)
    with pytest.raises(DatasetError, match=r"multi-choice\.json: expected"):
        TASK.load(tmp_path)


def test_empty_folder_names_both_layouts(tmp_path: Path) -> None:
    """The error lists what was looked for."""
    with pytest.raises(DatasetError, match=r"questions/multi-choice\.json, multi-choice/test"):
        TASK.load(tmp_path)


def test_video_outside_the_folder_is_refused(tmp_path: Path) -> None:
    """A video id that climbs out of the data root is an error."""
    rows = {task: {"../../x": {"order": items}} for task, items in ROWS.items()}
    (tmp_path / "questions").mkdir()
    for task, content in rows.items():
        (tmp_path / "questions" / f"{task}.json").write_text(json.dumps(content))
    (tmp_path / "meta_info.json").write_text('{"../../x": {"eval_dim": {"order": null}}}')
    with pytest.raises(DatasetError, match="leaves the data root"):
        TASK.load(tmp_path)


# --- prompts and presets


def test_official_prompts(items: dict[str, Sample]) -> None:
    """Every task's prompt is the published question and suffix, byte for byte."""
    best, yes_no = "\nPlease directly give the best option:", "\nPlease answer yes or no:"
    assert {name: TASK.prompt(s, "official").text for name, s in items.items()} == {
        "multi-choice/0": JUMP["question"] + best,
        "multi-choice/1": RUN["question"] + best,
        "yes_no/0": IS_IT["question"] + yes_no,
        "yes_no/1": IS_NOT["question"] + yes_no,
        "caption_matching/0": CAPTIONS["question"] + best,
        "caption_matching/1": OPTIONS["question"] + best,
        "captioning/0": CAPTIONING["question"],
    }


def test_video_r1_prompt_shows_the_recast(items: dict[str, Sample]) -> None:
    """Video-R1's prompt asks yes/no questions by letter."""
    expected = prompts.video_r1("Is the boy jumping?", Kind.MULTIPLE_CHOICE, ("yes", "no"))
    assert TASK.prompt(items["yes_no/0"], "video-r1").text == expected
    assert expected.startswith("Is the boy jumping?Options:\nA. yes\nB. no\n\nPlease think")


def test_presets() -> None:
    """The official preset is the publishers' Qwen2-VL run; the headline is a micro average."""
    official = TASK.protocol("official")
    assert official.frames is not None
    assert official.frames.rule is FrameRule.VIDEO_R1
    assert (official.frames.fps, official.frames.min_frames, official.frames.max_frames) == (
        1,
        4,
        64,
    )
    assert official.frames.max_pixels == 720 * 720
    assert official.sampling == Sampling(temperature=0.0, max_tokens=128)
    assert {s.aggregation.name for s in TASK.scorers.values()} == {"micro"}


# --- rules

RIGHT, WRONG = (1.0, Outcome.CORRECT), (0.0, Outcome.WRONG)
UNREAD, DROPPED = (0.0, Outcome.NO_ANSWER), (None, Outcome.NO_ANSWER)


@pytest.mark.parametrize(
    ("item", "text", "official", "video_r1"),
    [
        ("multi-choice/0", "A\n", RIGHT, RIGHT),
        ("multi-choice/0", "A. jump", RIGHT, UNREAD),
        ("multi-choice/0", "(A)", UNREAD, UNREAD),
        ("multi-choice/0", "a", UNREAD, UNREAD),
        ("multi-choice/0", "Answer: A", UNREAD, UNREAD),
        ("multi-choice/0", "<answer>A</answer>", UNREAD, RIGHT),
        ("yes_no/1", "Not sure.", RIGHT, UNREAD),
        ("yes_no/0", "<think>hm</think><answer>yes</answer>", UNREAD, UNREAD),
        ("yes_no/0", "<think>hm</think><answer>A</answer>", UNREAD, RIGHT),
        ("captioning/0", "A boy jumps.", DROPPED, UNREAD),
        ("captioning/0", "<answer>A</answer>", DROPPED, RIGHT),
        ("captioning/0", "<answer>B</answer>", DROPPED, WRONG),
    ],
)
def test_published_disagreements(
    items: dict[str, Sample], item: str, text: str, official: Any, video_r1: Any
) -> None:
    """Responses that the official rules and Video-R1's, under our recast, score differently."""
    assert score("official", items[item], text) == official
    assert score("video-r1", items[item], text) == video_r1


@pytest.mark.parametrize(
    ("item", "text", "expected"),
    [
        ("multi-choice/0", "B", WRONG),
        ("multi-choice/0", "A) run", RIGHT),  # the letter counts, not the text
        ("multi-choice/0", "D.", WRONG),
        ("multi-choice/0", "E.", UNREAD),
        ("multi-choice/0", "A.</s>", RIGHT),
        ("multi-choice/0", " A ", RIGHT),
        ("multi-choice/0", "A:", UNREAD),
        ("multi-choice/0", "A jump", UNREAD),
        ("multi-choice/0", "jump", UNREAD),
        ("multi-choice/0", "A\nB", UNREAD),
        ("multi-choice/0", "", UNREAD),
        ("yes_no/0", "YES, he is", RIGHT),
        ("yes_no/0", "Yesterday", RIGHT),
        ("yes_no/0", "Nothing", WRONG),
        ("yes_no/1", "notably yes", RIGHT),
        ("yes_no/0", "I say yes", UNREAD),
        ("caption_matching/0", "Caption B: He jumps.", RIGHT),
        ("caption_matching/0", "He jumps.", RIGHT),
        ("caption_matching/0", "He jumps", UNREAD),  # the final stop belongs to the sentence
        ("caption_matching/0", "he jumps.", UNREAD),
        ("caption_matching/0", "B) He jumps.", RIGHT),
        ("caption_matching/0", "A) He jumps.", RIGHT),  # only what follows the bracket counts
        ("caption_matching/0", "Caption B.", RIGHT),
        ("caption_matching/0", "B.", RIGHT),
        ("caption_matching/0", "Caption A", WRONG),
        ("caption_matching/0", "Caption C", UNREAD),
        ("caption_matching/0", "Sentence B", UNREAD),
        ("caption_matching/0", "Caption B: He runs.", UNREAD),
        ("caption_matching/1", "1", RIGHT),
        ("caption_matching/1", "Option 2.", WRONG),
        ("caption_matching/1", "A boy runs.", UNREAD),
        ("caption_matching/1", "A boy (left) jumps.", RIGHT),
        ("caption_matching/1", "A", UNREAD),
    ],
)
def test_official_rules(items: dict[str, Sample], item: str, text: str, expected: Any) -> None:
    """The matching rules, worked by hand."""
    assert score("official", items[item], text) == expected


def test_rules_after_answer_extraction(items: dict[str, Sample]) -> None:
    """The labelled variant reads tagged reasoning, and leaves captions to nobody still."""
    text = "<think>hm</think><answer>yes</answer>"
    assert score("official+answer", items["yes_no/0"], text) == RIGHT
    assert score("official+answer", items["captioning/0"], text) == DROPPED


def nested(name: str, key: str) -> dict[str, Any]:
    """Map sample ids to one field of Video-LLaVA's published answers."""
    content = json.loads((DATA / "video-llava" / name).read_text(encoding="utf-8"))
    task = name.split(".")[0]
    return {
        f"tempcompass/{task}/{video}/{aspect}/{position}": item[key]
        for video, aspects in content.items()
        for aspect, items in aspects.items()
        for position, item in enumerate(items)
    }


@published
@pytest.mark.slow
def test_published_verdicts_are_reproduced() -> None:
    """All 5529 rule-matched answers of Video-LLaVA get their rating, the 7 others none."""
    samples = {s.id: s for s in TASK.load(DATA).samples}
    seen = Counter[bool]()
    for task in TASKS[:3]:
        texts = nested(f"{task}.predictions.json", "prediction")
        ratings = nested(f"{task}.judged.json", "rating")
        for name, matched in nested(f"{task}.judged.json", "match_success").items():
            expected = ({0: WRONG, 1: RIGHT}[ratings[name]]) if matched else UNREAD
            assert score("official", samples[name], texts[name]) == expected, name
            seen[matched] += 1
    assert seen == {True: 5529, False: 7}


@given(st.text() | st.sampled_from(["A", "yes", "Caption B.", "1) ", ") ", ": ", "</s>"]))
def test_any_text_has_a_score(items: dict[str, Sample], text: str) -> None:
    """No text makes a scorer fail or leave the range."""
    for item in items.values():
        for scorer in TASK.scorers.keys() - {"lmms-eval"}:
            value, _ = score(scorer, item, text)
            assert value is None or 0 <= value <= 1


# --- match rate


def record(task: str, outcome: Outcome, answer: str | None = None) -> Record:
    return Record(
        id=f"tempcompass/{task}/1/order/0",
        task="tempcompass",
        variant="ordered",
        cluster="1",
        category=f"{task}/order/order",
        outcome=outcome,
        value=float(outcome is Outcome.CORRECT),
        answer=answer,
        gold="A",
        scorer="official@1",
    )


def test_match_rate() -> None:
    """Replies that a rule read, of all replies to other tasks than captioning, in percent."""
    run = {
        "tempcompass": [
            record("yes_no", Outcome.CORRECT, "yes"),
            record("multi-choice", Outcome.WRONG, "B"),
            record("multi-choice", Outcome.NO_ANSWER),
            record("caption_matching", Outcome.TRUNCATED),
            record("caption_matching", Outcome.CORRECT, "judge: Correct"),  # read by the judge
            record("captioning", Outcome.NO_ANSWER),
            record("yes_no", Outcome.FAILED),
        ]
    }
    assert TASK.extra(run) == {"match_rate": 40.0}
    assert TASK.extra({"tempcompass": [record("captioning", Outcome.NO_ANSWER)]}) == {}
    assert TASK.extra({}) == {}


def _flexible_sample(task, question, options, answer):
    return Sample(
        id=f"tempcompass/{task}/1/action/0", task="tempcompass", question=question.split("\n")[0],
        answer=answer, kind=Kind.MULTIPLE_CHOICE, category=f"{task}/action", cluster="1",
        options=options, source={"question": question, "answer": answer},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("Option 2", Outcome.CORRECT),
        ("2", Outcome.CORRECT),
        ("B", Outcome.CORRECT),
        ("The better match is Option 2: A man sits.", Outcome.CORRECT),
        ("A man sits.", Outcome.CORRECT),
        ("Option 1: A man runs.", Outcome.WRONG),
        ("Option 1: A man sits.", Outcome.NO_ANSWER),
        ("Both options match.", Outcome.NO_ANSWER),
    ],
)
def test_flexible_reads_the_labels_of_captions(text, outcome):
    """The official prompt calls captions Option 1 and 2; a label with the other text is none."""
    question = "Which description fits?\nOption 1: A man runs.\nOption 2: A man sits."
    sample = _flexible_sample("caption_matching", question, ("A man runs.", "A man sits."), "B")
    assert TempCompass().scorers["flexible"].score(sample, text).outcome is outcome


@pytest.mark.parametrize(
    ("text", "value"),
    [("<answer>B</answer>", 1.0), ("A", 0.0), ("A man is moving left in a park.", None)],
)
def test_flexible_leaves_out_captions_that_choose_nothing(text, value):
    """``video-r1`` asks for an option, ``official`` for a caption, which no rule rates."""
    sample = _flexible_sample("captioning", "Describe.", ("moving left", "moving right"), "B")
    assert TempCompass().scorers["flexible"].score(sample, text).value == value
