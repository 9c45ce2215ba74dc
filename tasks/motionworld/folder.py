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
from tasks.motionworld import marks
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
            _write_rows(folder, split.name, chain(videos, images))
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


def write_marked_dataset(
    folder: Path,
    seed: int,
    splits: Sequence[Split],
    *,
    order_share: float,
    agreements: Sequence[float],
) -> None:
    """Write the clips with marks (`tasks.motionworld.marks`) to `folder`, which is new or empty.

    Args:
        folder: Gets ``sft.json``, ``rl-70.json`` for the agreement 0.7, ``dev/`` and ``test/``.
        seed: Seed of the dataset.
        splits: ``sft``, ``rl`` and the held-out ones, with their sizes.
        order_share: Share of the rows for supervised fine-tuning whose rationale reads the order.
        agreements: Shares of the rows for reinforcement learning whose mark agrees.
    """
    for split in splits:
        if split.held_out:
            questions = marks.held_out_questions(split, seed)
            _write_questions(folder / split.name / MotionWorld.name, questions)
        elif split.name == "sft":
            _write_rows(folder, split.name, marks.undecided_rows(split, seed, order_share))
        else:
            for agreement in agreements:
                rows = marks.tempting_rows(split, seed, agreement)
                _write_rows(folder, rows_name(split.name, agreement), rows)
    manifest = {
        "version": VERSION,
        "seed": seed,
        "order_share": order_share,
        "agreements": list(agreements),
        "splits": [asdict(split) for split in splits],
    }
    _write_json(folder / MANIFEST, manifest)


def rows_name(split: str, agreement: float) -> str:
    """Return the name of training rows whose marks agree in a share of the clips: ``rl-70``."""
    return f"{split}-{100 * agreement:.0f}"


def _write_rows(folder: Path, name: str, items: Iterable[Item]) -> None:
    _write_json(folder / f"{name}.json", _write_media(items, folder, name))


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
