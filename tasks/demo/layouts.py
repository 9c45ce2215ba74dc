"""Write the demo's questions in the publishers' layouts, as their hubs distribute them.

Every benchmark gets 32 clips (MVBench 40) and the files that `tasks` reads, so that the demo runs
the real loaders, prompts, scorers and aggregations. With fewer clips a gate could not distinguish
an equal model from one that is ten points worse. `tasks.demo.later_layouts` has the benchmarks that
the demo's gate does not judge, with fewer.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

from harness.scoring.answers import letter_of
from harness.scoring.prompts import lettered
from tasks.demo.later_layouts import write_later_layouts
from tasks.demo.scenes import (
    COLOURS,
    DIRECTIONS,
    OPPOSITE,
    draw,
    moving,
    resting,
    write_frame_folder,
    write_video,
)
from tasks.demo.written import write_json, write_lines

_COLOURS = tuple(COLOURS)
_DIRECTIONS = tuple(DIRECTIONS)
_FORMS = ("square", "circle")
_GRID = ((0.2, 0.3), (0.5, 0.3), (0.8, 0.3), (0.2, 0.75), (0.5, 0.75), (0.8, 0.75))


def write_all(data: Path) -> None:
    """Write the benchmarks' folders under `data`."""
    write_vsibench(data / "vsibench")
    write_videommmu(data / "videommmu")
    write_mvbench(data / "mvbench")
    write_tempcompass(data / "tempcompass")
    write_later_layouts(data)


def write_vsibench(folder: Path) -> None:
    """Write VSI-Bench: four question types about 32 scenes of shapes to count."""
    rows: list[dict[str, Any]] = []
    scenes = product((0.3, 0.6), _COLOURS, range(2, 6))
    for scene, (appears, first, count) in enumerate(scenes):
        name = f"demo{scene:04d}_00"
        second = _COLOURS[(_COLOURS.index(first) + 1) % 4]
        shapes = [resting(first, "square", place) for place in _GRID[:count]]
        shapes.append(resting(second, "circle", _GRID[5], appears=appears))
        write_video(folder / "scannet" / f"{name}.mp4", draw(shapes))
        asked: list[tuple[str, str, list[str] | None, str]] = [
            ("object_counting", f"How many {first} square(s) are in this room?", None, str(count)),
            (
                "object_rel_direction_easy",
                f"Is the {second} circle to the left or the right of the first {first} square?",
                ["A. left", "B. right"],
                "B",
            ),
            (
                "obj_appearance_order",
                "What will be the first-time appearance order of the following in the video:"
                f" {first} square, {second} circle?",
                [
                    f"A. {second} circle, {first} square",
                    f"B. {first} square, {second} circle",
                    "C. both at once",
                    "D. neither appears",
                ],
                "B",
            ),
            (
                "object_size_estimation",
                f"What is the side length of the {first} square in pixels?",
                None,
                "25",
            ),
        ]
        for kind, question, options, gold in asked:
            rows.append({
                "id": len(rows), "dataset": "scannet", "scene_name": name, "question_type": kind,
                "question": question, "options": options, "ground_truth": gold, "pruned": False,
            })  # fmt: skip
    write_lines(folder / "test.jsonl", rows)


def write_videommmu(folder: Path) -> None:
    """Write VideoMMMU: one question per track and video about moving shapes, three disciplines."""
    tracks: dict[str, dict[str, Any]] = {"Perception": {}, "Comprehension": {}, "Adaptation": {}}
    for number, (form, colour, direction) in enumerate(product(_FORMS, _COLOURS, _DIRECTIONS)):
        subject = tuple(_DISCIPLINES)[number % len(_DISCIPLINES)]
        video_id = f"validation_{subject}_{900 + number}"
        scene = draw([moving(colour, form, direction)])
        write_video(folder / _DISCIPLINES[subject] / f"{video_id}.mp4", scene)
        options = [f"{other} {form}" for other in _COLOURS]
        gold = _DIRECTIONS.index(direction)
        asked = {
            "Perception": ("Which shape does the lecture show?", options, _COLOURS.index(colour)),
            "Comprehension": ("Which way does the shape move?", list(_DIRECTIONS), gold),
            "Adaptation": (
                "<image 1> Played backwards, which way would the shape move?",
                list(_DIRECTIONS),
                _DIRECTIONS.index(OPPOSITE[direction]),
            ),
        }
        for track, (question, choices, right) in asked.items():
            tracks[track][str(number)] = {
                "id": video_id, "question": question, "options": choices,
                "answer": letter_of(right), "question_type": "multiple-choice",
            }  # fmt: skip
    for track, rows in tracks.items():
        write_json(folder / f"{track.lower()}_video.json", {track: rows})


def write_mvbench(folder: Path) -> None:
    """Write five of MVBench's tasks: whole clips, clips with a time span, and frame folders."""
    video = folder / "video"
    directions = [f"The shape moves {direction}." for direction in _DIRECTIONS]
    moves, antonyms, counts, sequences, episodes = [], [], [], [], []
    for number, (form, direction) in enumerate(product(_FORMS, _DIRECTIONS)):
        colour = _COLOURS[number % 4]
        scene = draw([moving(colour, form, direction)])
        name = f"video_{number:05d}.mp4"
        for place in ("clevrer/video_validation", "star/Charades_v1_480", "perception/videos"):
            write_video(video / place / name, scene)
        write_video(video / "ssv2_video" / name.replace(".mp4", ".webm"), scene)
        write_frame_folder(video / "tvqa/frames_fps3_hq" / f"clip_{number}", scene[::3])
        answer = f"The shape moves {direction}."
        row = {"question": "Which way does the shape move?", "candidates": directions}
        moves.append({"video": name, **row, "answer": answer})
        antonyms.append({
            "video": name.replace(".mp4", ".webm"), "question": "What is shown?", "answer": answer,
            "candidates": [answer, f"The shape moves {OPPOSITE[direction]}.", "not sure"],
        })  # fmt: skip
        counts.append({
            "video": name, "question": "How many shapes move?", "candidates": ["0", "1", "2", "3"],
            "answer": "1",
        })  # fmt: skip
        sequences.append({"video": name, **row, "answer": answer, "start": 1.0, "end": 3.0})
        episodes.append({
            "video": f"clip_{number}", "question": "What colour is the shape?", "answer": colour,
            "candidates": [*_COLOURS, "black"], "start": 0.5, "end": 3.0,
        })  # fmt: skip
    for task, rows in {
        "moving_direction": moves,
        "action_antonym": antonyms,
        "action_count": counts,
        "action_sequence": sequences,
        "episodic_reasoning": episodes,
    }.items():
        write_json(folder / "json" / f"{task}.json", rows)


def write_tempcompass(folder: Path) -> None:
    """Write TempCompass: moving shapes, forward and reversed, with questions of all four tasks."""
    tasks: dict[str, dict[str, Any]] = {
        name: {} for name in ("multi-choice", "yes_no", "caption_matching", "captioning")
    }
    meta: dict[str, Any] = {}
    for number, (colour, direction) in enumerate(product(_COLOURS, _DIRECTIONS)):
        shape = moving(colour, "circle", direction)
        frames = draw([shape])
        for suffix, shown, way in (
            ("", frames, direction),
            ("_reverse", frames[::-1], OPPOSITE[direction]),
        ):
            video_id = f"10{number:02d}{suffix}"
            write_video(folder / "videos" / f"{video_id}.mp4", shown)
            for name, rows in _direction_questions(shape.name, way).items():
                tasks[name][video_id] = {"direction": rows}
            meta[video_id] = {
                "eval_dim": {"direction": {"subject": shape.name, "type": "object motion"}},
                "content": ["artificial"],
            }
    for name, videos in tasks.items():
        write_json(folder / "questions" / f"{name}.json", videos)
    write_json(folder / "meta_info.json", meta)


def _direction_questions(name: str, way: str) -> dict[str, list[dict[str, str]]]:
    options = lettered([f"moving {direction}" for direction in _DIRECTIONS])
    gold = options[_DIRECTIONS.index(way)]
    captions = [
        f"Caption A: The {name} moves {OPPOSITE[way]}.",
        f"Caption B: The {name} moves {way}.",
    ]
    facts = "".join(
        f"Information {line[0]}: {{'subject': '{name}', 'direction': '{line[3:]}'}}\n"
        for line in options
    )
    return {
        "multi-choice": [_qa_row("\n".join([f"What is the {name} doing?", *options]), gold)],
        "yes_no": [
            _qa_row(f"Is the {name} moving {way}?", "yes"),
            _qa_row(f"Is the {name} moving {OPPOSITE[way]}?", "no"),
        ],
        "caption_matching": [
            _qa_row("\n".join(["Which caption matches the video better?", *captions]), captions[1])
        ],
        "captioning": [
            _qa_row(
                "Identify the information that is consistent with the video and write a caption.\n"
                f"{facts}Generated Caption:",
                gold,
            )
        ],
    }


def _qa_row(question: str, answer: str) -> dict[str, str]:
    return {"question": question, "answer": answer}


_DISCIPLINES = {
    "Physics": "Science",
    "Math": "Science",
    "Design": "Art",
    "Marketing": "Business",
}
