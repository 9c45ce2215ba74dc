"""Two small runs on clips whose frames show their numbers, with texts that attack a page."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from harness.report.config import ReportConfig
from harness.run.samples_file import StoredMedia, StoredSample
from harness.schema import Failure, Kind, MediaKind, Outcome, Record
from tests.clips import HEIGHT, WIDTH, number, write_clip

ONE = ReportConfig(workers=1)
VIDEOS, PER_VIDEO = 4, 3
SHOWN = (0, 13, 26, 39)
SHUFFLED = (26, 0, 39, 13)
TIMES = (0.0, 1.3, 2.6, 3.9)
HOSTILE = (
    "<script>window.hurt = 1</script>",
    "<img src=x onerror='window.hurt = 2'>",
    "</script><script>window.hurt = 3</script>",
    "line\u2028separator\u2029and \x1b[31mred\x1b[0m \x07 bell",
    "[bold red]rich[/] :smile: [link=file:///etc/passwd]x[/link]",
    "right\u202eto left\u202c, zero\u200bwidth, nul \x00 end",
    "{{ 7 * 7 }} {% raw %} ${7*7} `tick` \\u003cb\\u003e",
    "half a pair \ufffd, javascript:alert(1), ' \" & ]]> <!-- -->",
)
"""Each must be seen as text."""


def sample_of(number: int, folder: str = "clips") -> StoredSample:
    """Return question `number`; three in a row are about one video."""
    video, place = divmod(number, PER_VIDEO)
    hostile = HOSTILE[number % len(HOSTILE)]
    return StoredSample(
        id=f"vsibench/{number}",
        task="vsibench",
        question=f"Question {number}: which of them comes first? {hostile}",
        options=("left", "right", hostile, "none"),
        gold="AB"[place % 2],
        kind=Kind.MULTIPLE_CHOICE,
        category=("object_rel_direction_easy", "route_planning", "obj_appearance_order")[place],
        cluster=f"scene_{video}",
        media=(StoredMedia(path=f"{folder}/video_{video}.mp4", kind=MediaKind.VIDEO),),
        prompt=f"Look. Question {number} {hostile}",
        system="Be brief.",
    )


def record_of(number: int, answer: str, *, order: str = "ordered") -> Record:
    """Return the record of a question that was answered with a letter."""
    asked = sample_of(number)
    right = answer == asked.gold
    return Record(
        id=asked.id,
        task=asked.task,
        variant=order,
        cluster=asked.cluster,
        category=asked.category,
        outcome=Outcome.CORRECT if right else Outcome.WRONG,
        value=float(right),
        answer=answer,
        gold=asked.gold,
        scorer="video-r1@1",
        text=f"<answer>{answer}</answer> {HOSTILE[number % len(HOSTILE)]}",
        reasoning=f"Deep thought {number}. {HOSTILE[(number + 1) % len(HOSTILE)]}",
        reasoning_tokens=40 + number,
        finish_reason="stop",
        prompt_tokens=120,
        output_tokens=50 + number,
        frame_indices=(SHOWN if order == "ordered" else SHUFFLED,),
        timestamps=(TIMES,),
        frame_size=((WIDTH, HEIGHT),),
        generate_s=0.25,
    )


def first_records() -> list[Record]:
    """Return twelve records: wrong where the number divides by 4, the last one failed."""
    found = [
        record_of(number, "D" if number % 4 == 0 else sample_of(number).gold)
        for number in range(VIDEOS * PER_VIDEO)
    ]
    failure = Failure(stage="generate", error="TimeoutError", message=HOSTILE[0])
    found[-1] = replace(
        found[-1], outcome=Outcome.FAILED, value=None, answer=None, text=None, reasoning=None,
        failure=failure,
    )  # fmt: skip
    return found


def second_records() -> list[Record]:
    """Return twelve records on shuffled frames: right for the even numbers."""
    return [
        record_of(number, "C" if number % 2 else sample_of(number).gold, order="shuffled")
        for number in range(VIDEOS * PER_VIDEO)
    ]


def manifest_of(
    data: Path | None, *, model: str = "model", order: str = "ordered"
) -> dict[str, Any]:
    """Return the ``run.json`` of twelve questions of VSI-Bench."""
    frames = {
        "rule": "video-r1", "max_frames": 4, "min_frames": 4, "order": order, "whole": False,
        "fps": 2.0, "min_pixels": 3136, "max_pixels": 200704, "seed": 0,
    }  # fmt: skip
    protocol = {
        "task": "vsibench@1", "suite": "video-r1", "template": "video-r1", "frames": frames,
        "scorer": "video-r1@1", "hash": "0123456789ab" if order == "ordered" else "ba9876543210",
        "sampling": {"temperature": 0.0, "max_tokens": 64, "top_p": 1.0, "seed": 0},
    }  # fmt: skip
    return {
        "schema": 2,
        "model": model,
        "protocol_hash": protocol["hash"],
        "created": "2026-11-26T05:39:42+00:00",
        "tasks": ["vsibench"],
        "limit": None,
        "backend": "fake",
        "protocol": {"vsibench": protocol},
        "data": {"vsibench": {"items": VIDEOS * PER_VIDEO, "sha256": "f00d"}},
        "checkpoint": {"weights": model},
        "data_root": None if data is None else str(data),
    }


def write_clips(data: Path) -> Path:
    """Draw the clips of all questions into a data root."""
    (data / "clips").mkdir(parents=True)
    for video in range(VIDEOS):
        write_clip(data / "clips" / f"video_{video}.mp4")
    return data


def write_run(
    folder: Path,
    manifest: Mapping[str, Any],
    records: list[Record],
    samples: list[StoredSample] | None = None,
) -> Path:
    """Write a run directory with its questions."""
    asked = [sample_of(n) for n in range(VIDEOS * PER_VIDEO)] if samples is None else samples
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(manifest))
    for name, rows in (("records-0.jsonl", records), ("samples.jsonl", asked)):
        (folder / name).write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows))
    return folder


def write_pair(folder: Path, data: Path) -> tuple[Path, Path]:
    """Write both runs into a folder."""
    return (
        write_run(folder / "first", manifest_of(data), first_records()),
        write_run(folder / "second", manifest_of(data, order="shuffled"), second_records()),
    )


def read_script(path: Path) -> Any:
    """Return the value that a data script hands to the page."""
    match = re.fullmatch(r'videor1\.receive\("[a-z]+",\d+,(.*)\);\n', path.read_text(), re.DOTALL)
    assert match
    return json.loads(match[1])


def details(report: Path) -> dict[str, Any]:
    """Return the items of a report by id."""
    blocks = sorted((report / "data").glob("items-*.js"))
    return {item["id"]: item for block in blocks for item in read_script(block)}


def frames_of(report: Path, clip: dict[str, Any]) -> list[int]:
    """Read the numbers in the pictures of a clip, in the order shown."""
    grid = np.asarray(Image.open(report / "frames" / clip["sprite"]).convert("RGB"))
    width, height = clip["cell"]
    found = []
    for cell in clip["cells"]:
        top, left = cell // clip["columns"] * height, cell % clip["columns"] * width
        found.append(number(grid[top : top + height, left : left + width]))
    return found
