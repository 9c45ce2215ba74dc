"""Write the demo's questions in the layouts of the benchmarks that came later, 16 clips each."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from harness.scoring.answers import letter_of
from harness.scoring.prompts import lettered
from tasks.demo.scenes import COLOURS, DIRECTIONS, Frames, draw, moving, write_video
from tasks.demo.written import write_json, write_parquet

_COLOURS, _DIRECTIONS = tuple(COLOURS), tuple(DIRECTIONS)
_MOVES = tuple(f"It moves {direction}." for direction in _DIRECTIONS)
_HUB = "https://huggingface.co/datasets/yale-nlp/MMVU/resolve/main/videos"
_SUBJECTS = ("Mechanics", "Art", "Computer_Science", "Pharmacy")


class _Scene(NamedTuple):
    """A circle of some colour that moves in some direction."""

    number: int
    colour: str
    direction: str

    @property
    def letters(self) -> tuple[str, str]:
        """The letters of its colour and of its direction."""
        return (
            letter_of(_COLOURS.index(self.colour)),
            letter_of(_DIRECTIONS.index(self.direction)),
        )

    def frames(self) -> Frames:
        """Draw the scene."""
        return draw([moving(self.colour, "circle", self.direction)])


def _scenes() -> Iterator[_Scene]:
    for number, (colour, direction) in enumerate(product(_COLOURS, _DIRECTIONS)):
        yield _Scene(number, colour, direction)


def write_mmvu(folder: Path) -> None:
    """Write MMVU: a multiple-choice and an open question per video, four subjects."""
    rows: list[dict[str, Any]] = []
    for scene in _scenes():
        video = f"{_SUBJECTS[scene.number % len(_SUBJECTS)]}/{scene.number}.mp4"
        write_video(folder / "videos" / video, scene.frames())
        moves = dict(zip("ABCDE", (*_MOVES, "It does not move."), strict=True))
        for kind, question, choices, answer in (
            ("multiple-choice", "How does the circle move?", moves, scene.letters[1]),
            ("open-ended", "Which colour is the circle?", dict.fromkeys("ABCDE", ""), scene.colour),
        ):
            rows.append({
                "id": f"validation_{len(rows)}", "video": f"{_HUB}/{video}",
                "question_type": kind, "question": question, "choices": choices, "answer": answer,
            })  # fmt: skip
    write_json(folder / "validation.json", rows)


def write_videomme(folder: Path) -> None:
    """Write Video-MME: three questions per video, three durations, subtitles that tell the move."""
    rows: list[dict[str, Any]] = []
    for scene in _scenes():
        video = f"demoVideo{scene.number:02d}"
        write_video(folder / "data" / f"{video}.mp4", scene.frames())
        subtitles = folder / "subtitle" / f"{video}.srt"
        subtitles.parent.mkdir(parents=True, exist_ok=True)
        subtitles.write_text(
            f"1\n00:00:00,500 --> 00:00:03,500\nLook, the circle\nmoves {scene.direction}.\n"
        )
        for position, (kind, question, options, answer) in enumerate((
            ("Attribute Perception", "Which colour is the circle?", _COLOURS, scene.letters[0]),
            ("Action Recognition", "How does the circle move?", _MOVES, scene.letters[1]),
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
