"""MVBench: twenty temporal tasks with 200 multiple-choice questions each, from eleven video sets.

Publisher: OpenGVLab/MVBench on the Hugging Face hub. Two layouts are read: branch ``main`` has
``json/<task>.json`` beside ``video/``, with start and end times for five tasks; branch ``video``
has ``test.json`` and videos that are already cut. Official prompt, matching and mean:
OpenGVLab/Ask-Anything@4dd8210 ``video_chat2/mvbench.ipynb``; paper: arXiv 2311.17005.

Deliberate departures and known differences:

- Video-R1 shows whole videos, so ``video-r1`` ignores the times. Branch ``video`` has the cut clips
  only: its ``video-r1`` scores are not comparable with the paper's.
- Video-R1's own file has no blanks around questions and options and no carriage returns, which 24
  of the 4,000 published questions have. ``video-r1`` asks them without since version 2 of the task,
  so that runs of version 1 are neither resumed nor compared with later ones.
- The notebook shows VideoChat2 frames of 224 x 224 pixels; here the model's own frame size and chat
  template are used.
- The notebook puts ``(`` in front of every response, because its prompt ends in one, and so does
  the rule here: engines return the continuation. A stored response may have the bracket already, so
  one that begins with ``(`` stays as it is. The two differ for ``(``, ``(C`` and ``(C)`` only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from harness.errors import DatasetError
from harness.schema import (
    FrameRule,
    Kind,
    Media,
    MediaKind,
    Prompt,
    Sample,
    Sampling,
    Score,
)
from harness.scoring.answers import (
    letter_of,
    letters,
)
from harness.scoring.prompts import lettered
from harness.scoring.rules import (
    ScoreRule,
    binary_score,
)
from harness.task.api import Questions
from tasks import sources
from tasks.base import MODEL_SIZED, PAPER_FRAMES, Benchmark
from tasks.files import Row, first_existing, inside, json_rows, read_json, read_rows

FOLDERS = {
    "action_sequence": "star/Charades_v1_480",
    "action_prediction": "star/Charades_v1_480",
    "action_antonym": "ssv2_video",
    "fine_grained_action": "Moments_in_Time_Raw/videos",
    "unexpected_action": "FunQA_test/test",
    "object_existence": "clevrer/video_validation",
    "object_interaction": "star/Charades_v1_480",
    "object_shuffle": "perception/videos",
    "moving_direction": "clevrer/video_validation",
    "action_localization": "sta/sta_video",
    "scene_transition": "scene_qa/video",
    "action_count": "perception/videos",
    "moving_count": "clevrer/video_validation",
    "moving_attribute": "clevrer/video_validation",
    "state_change": "perception/videos",
    "fine_grained_pose": "nturgbd",
    "character_order": "perception/videos",
    "egocentric_navigation": "vlnqa",
    "episodic_reasoning": "tvqa/frames_fps3_hq",
    "counterfactual_inference": "clevrer/video_validation",
}
"""Tasks in the notebook's order, with their folders under ``video/`` of branch ``main``."""

TIMED = frozenset(
    {
        "action_sequence",
        "action_prediction",
        "object_interaction",
        "action_localization",
        "episodic_reasoning",
    }
)
"""Tasks about a span of the video."""

FRAME_FOLDER_TASK = "episodic_reasoning"
FRAME_FOLDER_FPS = 3.0

SYSTEM = (
    "Carefully watch the video and pay attention to the cause and sequence of events, the detail"
    " and movement of objects, and the action and pose of persons. Based on your observations,"
    " select the best option that accurately addresses the question.\n"
)


class MVBench(Benchmark):
    """MVBench with its official prompt, prefilled response and substring matching."""

    name = "mvbench"
    version = 2
    official_version = 2
    title = "MVBench"
    published_size = (4000, None)
    homepage = "https://huggingface.co/datasets/OpenGVLab/MVBench"
    source = sources.MVBENCH
    official_frames = replace(MODEL_SIZED, rule=FrameRule.SEGMENTS, max_frames=16)
    official_sampling = Sampling(temperature=0.0, max_tokens=100)
    paper_frames = replace(PAPER_FRAMES, whole=True)
    paper_trimmed = True

    def load(self, data: Path) -> Questions:
        """Read branch ``video``, recognised by ``test.json``, or branch ``main``."""
        files = first_existing(data, "test.json", "json/*.json")
        read = _read_cut if files == [data / "test.json"] else _read_timed
        samples = [sample for file in files for sample in read(data, file)]
        order = list(FOLDERS)
        samples.sort(key=lambda sample: order.index(sample.category))
        return Questions(samples=tuple(samples), files=tuple(files))

    def official_prompt(self, sample: Sample) -> Prompt:
        """Return the notebook's prompt: the instruction twice and a prefilled response."""
        options = "\n".join(lettered(sample.options, "({letter}) {text}")).rstrip()
        question = f"Question: {sample.question}\nOptions:\n{options}"
        return Prompt(
            text=f"{SYSTEM}{question}\nOnly give the best option.",
            system=SYSTEM,
            prefill="Best option:(",
        )

    def official_rule(self) -> ScoreRule:
        """Return `score_official`, the notebook's substring matching."""
        return score_official


def score_official(sample: Sample, text: str) -> Score:
    """Match the first word of the first line with the gold option, ``(c)``.

    Any part of the gold option matches: an empty response, ``.`` and ``(`` are correct.
    """
    text = text.strip()
    reply = text if text.startswith("(") else f"({text}"
    word = reply.split("\n")[0].lower().split(" ")[0]
    gold = f"({sample.answer.lower()})"
    correct = word.replace(".", "") in gold or gold in word
    letter = word.strip("().").upper()
    answer = letter if letter in letters(len(sample.options)) else None
    return binary_score(None if answer is None and not correct else correct, answer)


def _read_timed(data: Path, path: Path) -> Iterator[Sample]:
    """Yield the questions in ``json/<task>.json`` of branch ``main``."""
    category = path.stem
    if category not in FOLDERS:
        raise DatasetError(f"{path}: {category!r} is not one of MVBench's twenty tasks")
    for position, row in enumerate(read_rows(path)):
        video = f"{FOLDERS[category]}/{row.text('video')}"
        media = _timed_media(data, video, row, category)
        yield _make_sample(row, f"{category}/{position}", video, media)


def _read_cut(data: Path, path: Path) -> Iterator[Sample]:
    """Yield the questions in ``test.json`` of branch ``video``: folders and rows by task."""
    match read_json(path):
        case {"root": dict(folders), "meta": dict(tasks)}:
            pass
        case _:
            raise DatasetError(f"{path}: expected an object with the objects 'root' and 'meta'")
    for task, items in tasks.items():
        category = task.lower().replace(" ", "_").replace("-", "_")
        if category not in FOLDERS or not isinstance(folders.get(task), str):
            raise DatasetError(f"{path}: {task!r} has no folder or is not a task of MVBench")
        for position, row in enumerate(json_rows(path / "meta" / task, items)):
            video = f"{folders[task].rstrip('/')}/{row.text('video')}"
            media = Media(path=inside(data, video, row.where))
            yield _make_sample(row, f"{category}/{position}", video, media)


def _timed_media(data: Path, video: str, row: Row, category: str) -> Media:
    path = inside(data, f"video/{video}", row.where)
    # Some files come in a later archive, which unpacks beside the others.
    added = inside(data, f"video/data0613/{video}", row.where)
    frames = category == FRAME_FOLDER_TASK
    return Media(
        path=added if added.exists() and not path.exists() else path,
        kind=MediaKind.FRAMES if frames else MediaKind.VIDEO,
        start_s=_required_seconds(row, "start") if category in TIMED else None,
        end_s=_required_seconds(row, "end") if category in TIMED else None,
        fps=FRAME_FOLDER_FPS if frames else None,
    )


def _required_seconds(row: Row, name: str) -> float:
    seconds = row.seconds(name)
    if seconds is None:
        raise row.bad(name, "a number of seconds >= 0")
    return seconds


def _make_sample(row: Row, row_id: str, video: str, media: Media) -> Sample:
    candidates, answer = row.options("candidates"), row.text("answer")
    if answer not in candidates:
        raise row.bad("answer", "one of the candidates")
    gold = max(index for index, text in enumerate(candidates) if text == answer)
    return Sample(
        id=f"mvbench/{row_id}",
        task="mvbench",
        question=row.text("question"),
        answer=letter_of(gold),  # the notebook takes the last of two equal candidates
        kind=Kind.MULTIPLE_CHOICE,
        category=row_id.partition("/")[0],
        cluster=video,
        options=candidates,
        media=(media,),
    )
