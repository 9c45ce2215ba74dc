"""Write the MotionWorld dataset: clips, pictures, training rows, benchmark folders.

DIR/world.json                          version, seed, sizes of the splits
DIR/sft.json  DIR/rl.json               rows in Video-R1's training format; media root is DIR
DIR/sft/...   DIR/rl/...                their clips and pictures
DIR/dev/...   DIR/test/...              data folders for ``videor1 eval --data``, with
    motionworld/questions.json          clips, ordered by aspect
    motionworld-stills/questions.json   pictures

A benchmark without questions has no folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

from harness.schema import MediaKind
from tasks.motionworld.drawing import draw, write_clip, write_still
from tasks.motionworld.splits import ALL_ASPECTS, SPLITS, TEST, VERSION, Item, Split, clips, stills
from tasks.motionworld.task import QUESTIONS, MotionWorld, MotionWorldStills

MANIFEST = "world.json"


def write_dataset(
    folder: Path,
    seed: int = 0,
    aspects: Sequence[str] = ALL_ASPECTS,
    splits: Sequence[Split] = SPLITS,
) -> None:
    """Write every split, with questions about `aspects`, to `folder`, which is new or empty."""
    for split in splits:
        videos, images = clips(split, seed, aspects), stills(split, seed, aspects)
        if split.held_out:
            _write_questions(folder / split.name / MotionWorld.name, videos)
            _write_questions(folder / split.name / MotionWorldStills.name, images)
        else:
            rows = _write_media(chain(videos, images), folder, split.name)
            _write_json(folder / f"{split.name}.json", rows)
    manifest = {
        "version": VERSION,
        "seed": seed,
        "aspects": list(aspects),
        "splits": [asdict(split) for split in splits],
    }
    _write_json(folder / MANIFEST, manifest)


def write_test_split(data: Path, seed: int = 0, aspects: Sequence[str] = ALL_ASPECTS) -> None:
    """Write the test split alone: two benchmark folders under the data folder `data`."""
    [split] = [one for one in SPLITS if one.name == TEST]
    _write_questions(data / MotionWorld.name, clips(split, seed, aspects))
    _write_questions(data / MotionWorldStills.name, stills(split, seed, aspects))


def _write_questions(folder: Path, items: Iterable[Item]) -> None:
    rows = _write_media(items, folder, ".")
    if rows:
        _write_json(folder / QUESTIONS, rows)


def _write_media(items: Iterable[Item], root: Path, below: str) -> list[dict[str, Any]]:
    """Write each item's media under ``root/below``; return the rows, with paths from `root`."""
    rows = []
    for number, item in enumerate(items):
        frames = draw(item.scene)
        kind, write, suffix = _STILL if len(frames) == 1 else _CLIP
        path = Path(below) / f"{item.name}{suffix}"
        write(root / path, frames)
        rows.append(
            {
                "problem_id": number,
                **item.row,
                "data_type": kind.value,
                "path": f"./{path.as_posix()}",
            }
        )
    return rows


_CLIP = (MediaKind.VIDEO, write_clip, ".mp4")
_STILL = (MediaKind.IMAGE, write_still, ".png")


def _write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
