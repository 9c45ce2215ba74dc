"""What the contenders are asked: so many videos with so many questions each.

A workload is a data folder in VSI-Bench's layout, so that our side is the stock command on a real
task: its official protocol samples evenly spaced frames, is greedy, and grants 16 tokens, which is
what the peers can be set to. The peers get the same prompts, written out, as ``questions.jsonl``.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.run.config import EvalConfig
from harness.run.plan import (
    Plan,
    make_plan,
)
from tests.bench.eval import clips
from tests.bench.eval.settings import FRAMES, NEW_TOKENS, PIXELS

REAL_VIDEOS = Path("../shared/data/videos")
REAL_CLIPS = ("pancake.mkv", "video1.mp4", "yoga.mp4")
"""The fourth one there is damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """So many videos of a kind, so many questions about each."""

    name: str
    source: str
    """``short``, ``long``, ``real``, or ``copies`` of long ones."""
    videos: int
    per_video: int

    @property
    def questions(self) -> int:
        """Questions in all."""
        return self.videos * self.per_video


def workloads(*, quick: bool) -> Mapping[str, Workload]:
    """Return the workloads by name; the quick ones take minutes, the full ones about four hours.

    The full ones are large enough that a start-up of ten seconds does not decide a comparison;
    they are small beside the benchmarks themselves (VSI-Bench: 288 videos, 5,130 questions).
    """
    shapes = {18: 48, 3: 48, 1: 48} if not quick else {18: 2, 3: 4, 1: 8}
    long_shapes = {18: 6, 3: 8, 1: 14} if not quick else {18: 1, 3: 2, 1: 3}
    made = [
        Workload(name=f"{source}-{per_video}", source=source, videos=videos, per_video=per_video)
        for source, table in (("short", shapes), ("long", long_shapes))
        for per_video, videos in table.items()
    ]
    real = 6 if quick else 18
    made.append(Workload(name=f"real-{real}", source="real", videos=3, per_video=real))
    return {workload.name: workload for workload in made}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A workload on disk."""

    workload: Workload
    data: Path
    """``--data`` for our command; ``questions.jsonl`` and ``videor1_bench.yaml`` for the peers."""

    def plan(self) -> Plan:
        """Plan it exactly as our command does."""
        config = EvalConfig(
            tasks=("vsibench",),
            data=self.data,
            protocol="official",
            max_frames=FRAMES,
            max_pixels=PIXELS,
        )
        return make_plan(config)


def prepare(workload: Workload, work: Path) -> Prepared:
    """Write a workload's files under `work`, linking the clips that are cached there."""
    prepared = Prepared(workload, work / "data" / f"{workload.name}x{workload.videos}")
    folder = prepared.data / "vsibench"
    rows = []
    for number in range(workload.videos):
        video = _clip(workload, work / "clips", number)
        scene = f"scene{number:04d}"
        _link(video, folder / "scannet" / f"{scene}.mp4")
        rows += [_row(scene, number, question) for question in range(workload.per_video)]
    for place, row in enumerate(rows):
        row["id"] = place
    _write_lines(folder / "test.jsonl", rows)
    asked = [
        {
            "id": sample.id,
            "video": str(sample.media[0].path.resolve()),
            "prompt": planned.prompt(sample).text,
        }
        for planned in prepared.plan().tasks
        for sample in planned.samples
    ]
    _write_lines(prepared.data / "questions.jsonl", asked)
    (prepared.data / "videor1_bench.yaml").write_text(_LMMS_TASK, encoding="utf-8")
    return prepared


def _clip(workload: Workload, cache: Path, number: int) -> Path:
    match workload.source:
        case "short":
            return clips.short_clip(cache, number)
        case "long":
            return clips.long_clip(cache, number)
        case "copies":
            return clips.long_copy(cache, number)
        case _:
            return REAL_VIDEOS / REAL_CLIPS[number]


def _row(scene: str, number: int, question: int) -> dict[str, object]:
    """Write one question of ordinary length; no two are alike."""
    words = random.Random(number * 1000 + question)
    things = words.sample(["chair", "table", "sofa", "lamp", "door", "window", "shelf", "bed"], 3)
    return {
        "id": 0, "dataset": "scannet", "scene_name": scene, "ground_truth": "B", "pruned": False,
        "question_type": "object_rel_direction_easy",
        "question": f"Question {question}: if I am standing by the {things[0]} and facing the"
        f" {things[1]}, is the {things[2]} to the left or the right of the {things[1]}?",
        "options": ["A. left", "B. right"],
    }  # fmt: skip


def _link(source: Path, place: Path) -> None:
    """Name a clip in the layout; its bytes stay where they are."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(source.resolve())


def _write_lines(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


# Functions are named by module: lmms-eval looks beside the file first, then imports.
_LMMS_TASK = f"""\
task: videor1_bench
dataset_path: json
dataset_kwargs:
  data_files:
    test: questions.jsonl
test_split: test
output_type: generate_until
doc_to_visual: !function tests.bench.eval.lmms_rows.video
doc_to_text: !function tests.bench.eval.lmms_rows.prompt
doc_to_messages: !function tests.bench.eval.lmms_rows.messages
doc_to_target: id
process_results: !function tests.bench.eval.lmms_rows.answered
generation_kwargs:
  max_new_tokens: {NEW_TOKENS}
  temperature: 0
metric_list:
  - metric: answered
    aggregation: mean
    higher_is_better: true
"""
