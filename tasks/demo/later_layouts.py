"""Write the demo's questions in the layouts of the benchmarks that came later.

They share 16 clips, a circle of each colour that moves in each direction, which are encoded once.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from harness.files import write_folder
from harness.scoring.answers import letter_of
from harness.scoring.prompts import lettered
from tasks.demo.scenes import COLOURS, DIRECTIONS, SECONDS, draw, moving, write_video
from tasks.demo.written import write_json, write_lines, write_parquet

_COLOURS, _DIRECTIONS = tuple(COLOURS), tuple(DIRECTIONS)
_MOVES = tuple(f"It moves {direction}." for direction in _DIRECTIONS)
_WHICH, _HOW = "Which colour is the circle?", "How does the circle move?"
_HUB = "https://huggingface.co/datasets/yale-nlp/MMVU/resolve/main/videos"
_SUBJECTS = ("Mechanics", "Art", "Computer_Science", "Pharmacy")
_EIGHT = (*_COLOURS, "black", "white", "purple", "orange")


class Scene(NamedTuple):
    """A circle of some colour that moves in some direction, and its clip."""

    number: int
    colour: str
    direction: str
    clip: Path

    @property
    def of_colour(self) -> str:
        """The letter of its colour."""
        return letter_of(_COLOURS.index(self.colour))

    @property
    def of_move(self) -> str:
        """The letter of its direction."""
        return letter_of(_DIRECTIONS.index(self.direction))

    def place(self, path: Path) -> None:
        """Copy its clip to a path."""
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.clip, path)


def write_later_layouts(data: Path) -> None:
    """Write the folders of the later benchmarks under `data`."""
    clips = data / ".clips"
    write_folder(clips, _write_clips)
    scenes = list(_scenes(clips))
    for name, write in _WRITERS.items():
        write(data / name, scenes)
    shutil.rmtree(clips)


def _scenes(clips: Path) -> Iterator[Scene]:
    for number, (colour, direction) in enumerate(product(_COLOURS, _DIRECTIONS)):
        yield Scene(number, colour, direction, clips / f"{number}.mp4")


def _write_clips(folder: Path) -> None:
    for scene in _scenes(folder):
        write_video(scene.clip, draw([moving(scene.colour, "circle", scene.direction)]))


def write_mmvu(folder: Path, scenes: Sequence[Scene]) -> None:
    """Write MMVU: a multiple-choice and an open question per video, four subjects."""
    rows: list[dict[str, Any]] = []
    moves = dict(zip("ABCDE", (*_MOVES, "It does not move."), strict=True))
    for scene in scenes:
        video = f"{_SUBJECTS[scene.number % len(_SUBJECTS)]}/{scene.number}.mp4"
        scene.place(folder / "videos" / video)
        for kind, question, choices, answer in (
            ("multiple-choice", _HOW, moves, scene.of_move),
            ("open-ended", _WHICH, dict.fromkeys("ABCDE", ""), scene.colour),
        ):
            rows.append({
                "id": f"validation_{len(rows)}", "video": f"{_HUB}/{video}",
                "question_type": kind, "question": question, "choices": choices, "answer": answer,
            })  # fmt: skip
    write_json(folder / "validation.json", rows)


def write_videomme(folder: Path, scenes: Sequence[Scene]) -> None:
    """Write Video-MME: three questions per video, three durations, subtitles that tell the move."""
    rows = []
    for scene in scenes:
        video = f"demoVideo{scene.number:02d}"
        scene.place(folder / "data" / f"{video}.mp4")
        subtitles = folder / "subtitle" / f"{video}.srt"
        subtitles.parent.mkdir(parents=True, exist_ok=True)
        subtitles.write_text(
            f"1\n00:00:00,500 --> 00:00:03,500\nLook, the circle\nmoves {scene.direction}.\n"
        )
        for position, (kind, question, options, answer) in enumerate((
            ("Attribute Perception", _WHICH, _COLOURS, scene.of_colour),
            ("Action Recognition", _HOW, _MOVES, scene.of_move),
            ("Counting Problem", "How many circles are there?", ("0", "1", "2", "3"), "B"),
        )):  # fmt: skip
            rows.append({
                "video_id": f"{scene.number:03d}", "videoID": video,
                "question_id": f"{scene.number:03d}-{position + 1}",
                "duration": ("short", "medium", "long")[scene.number % 3],
                "domain": "Knowledge", "sub_category": "Geography", "task_type": kind,
                "question": question, "options": lettered(options), "answer": answer,
            })  # fmt: skip
    write_parquet(folder / "videomme" / "test-00000-of-00001.parquet", rows)


def write_videomme_v2(folder: Path, scenes: Sequence[Scene]) -> None:
    """Write Video-MME-v2: a group of four per video, of both kinds and all structures."""
    rows = []
    structures = ("[1,2,3,4]", "[1,[2,3],4]", "[[1,2],3,4]", "4")
    for scene in scenes:
        name, structure = f"{scene.number:03d}", structures[scene.number % 4]
        scene.place(folder / "videos" / f"{name}.mp4")
        words = ("It", "moves", f"{scene.direction}.")
        said = [
            {"text": word, "start_time": float(n), "end_time": n + 0.8}
            for n, word in enumerate(words)
        ]
        write_lines(folder / "subtitle" / f"{name}.jsonl", said)
        for position in range(4):
            rows.append({
                "video_id": name, "url": "", "question_id": f"{name}-{position + 1}",
                "group_type": "relevance" if structure == "4" else "logic",
                "group_structure": structure, "question": _WHICH,
                "options": "\n".join(lettered(_EIGHT)), "answer": scene.of_colour,
                "level": str(1 + scene.number % 3), "second_head": "Frames",
                "third_head": "Attributes",
            })  # fmt: skip
    write_parquet(folder / "test.parquet", rows)


def write_longvideobench(folder: Path, scenes: Sequence[Scene]) -> None:
    """Write LongVideoBench: a question per video, four or five options, subtitles in JSON."""
    rows = []
    for scene in scenes:
        name = f"demo{scene.number:02d}"
        scene.place(folder / "videos" / f"{name}.mp4")
        cue = {"timestamp": [0.5, 3.5], "text": f"it moves {scene.direction}"}
        write_json(folder / "subtitles" / f"{name}_en.json", [cue])
        five = scene.number % 2 == 0
        rows.append({
            "id": f"{name}_0", "video_id": name, "question": _HOW,
            "candidates": [*_MOVES, *(["It does not move."] if five else [])],
            "correct_choice": _DIRECTIONS.index(scene.direction), "question_category": "S2E",
            "level": "L1-Perception", "video_path": f"{name}.mp4",
            "subtitle_path": f"{name}_en.json", "duration_group": 15,
            "starting_timestamp_for_subtitles": 0, "duration": float(SECONDS),
        })  # fmt: skip
    write_json(folder / "lvb_val.json", rows)


def write_videoholmes(folder: Path, scenes: Sequence[Scene]) -> None:
    """Write Video-Holmes: a question of one of the seven types per film."""
    kinds, rows = ("SR", "IMC", "TCI", "TA", "MHR", "PAR", "CTI"), []
    for scene in scenes:
        name = f"film{scene.number:02d}"
        scene.place(folder / "videos" / f"{name}.mp4")
        rows.append({
            "video ID": name, "Question ID": f"q{scene.number}",
            "Question Type": kinds[scene.number % len(kinds)], "Question": _HOW,
            "Options": dict(zip("ABCD", _MOVES, strict=True)), "Answer": scene.of_move,
            "Explanation": "",
        })  # fmt: skip
    write_json(folder / "test_Video-Holmes.json", rows)


def write_charades_sta(folder: Path, scenes: Sequence[Scene]) -> None:
    """Write Charades-STA: when the circle is in the first, and in the second half of its way."""
    lines = []
    half = SECONDS / 2
    for scene in scenes:
        name = f"DEM{scene.number:02d}"
        scene.place(folder / "Charades_v1_480" / f"{name}.mp4")
        for part, start in (("first", 0.0), ("second", half)):
            sentence = f"the {scene.colour} circle moves {scene.direction} in the {part} half."
            lines.append(f"{name} {start} {start + half}##{sentence}\n")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "charades_sta_test.txt").write_text("".join(lines), encoding="utf-8")


_WRITERS: dict[str, Callable[[Path, Sequence[Scene]], None]] = {
    "mmvu": write_mmvu,
    "videomme": write_videomme,
    "videomme-v2": write_videomme_v2,
    "longvideobench": write_longvideobench,
    "videoholmes": write_videoholmes,
    "charades-sta": write_charades_sta,
}
"""By the folder of the benchmark."""
