"""Writes the texts of all items in blocks, which the page loads one at a time.

Records are read one by one from their files. Beside each block of texts goes one of search texts:
question, options, gold answer, answers, id and video, in lower case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.report.answers import Answers, Shown
from harness.report.frames import Videos, find_gap, find_mismatch
from harness.report.items import Item
from harness.report.questions import Questions
from harness.report.scripts import shown, write_script
from harness.run.record_lines import RecordFiles
from harness.run.samples_file import StoredSample
from harness.schema import ItemKey, Record
from harness.scoring.answers import MAX_OPTIONS
from harness.scoring.options import chosen_option

_BLOCK_ITEMS = 200
_SEARCHED = 2000
"""Characters of an answer that the quick search looks at; the search in full texts sees all."""
_BLOCK_CHARACTERS = 1 << 20
"""A block of texts ends with the item that makes it longer than this."""


class DetailWriter:
    """Writes the blocks of a report.

    Args:
        folder: The folder of the scripts.
        runs: The runs in the order of the report.
        questions: What was asked.
        videos: The files with their pictures, as drawn.
    """

    def __init__(
        self,
        folder: Path,
        runs: Sequence[Answers],
        questions: Questions,
        videos: Videos,
    ) -> None:
        self._folder = folder
        self._runs = runs
        self._questions = questions
        self._videos = videos
        self._files = RecordFiles()

    def write(self, items: Sequence[Item]) -> list[int]:
        """Write all blocks; returns the position of the first item of each."""
        starts: list[int] = []
        with self._files:
            for number, (start, block) in enumerate(self._blocks(items)):
                starts.append(start)
                write_script(self._folder, "items", block, number)
                write_script(self._folder, "find", [_search_text(item) for item in block], number)
        return starts

    def _blocks(self, items: Sequence[Item]) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        block: list[dict[str, Any]] = []
        start = characters = 0
        for position, item in enumerate(items):
            described = self._describe(item)
            block.append(described)
            characters += _count_characters(described)
            if len(block) == _BLOCK_ITEMS or characters > _BLOCK_CHARACTERS:
                yield start, block
                block, start, characters = [], position + 1, 0
        if block:
            yield start, block

    def _describe(self, item: Item) -> dict[str, Any]:
        shared = self._questions.shared.get(item.id)
        views: dict[Shown, int] = {}
        frames: list[dict[str, Any]] = []
        answers = []
        for number, run in enumerate(self._runs):
            of_run = []
            sample = self._questions.of(number, item.id)
            for key in run.keys.get(item.id, ()):
                saw = run.shown[key]
                if saw not in views:
                    views[saw] = len(frames)
                    frames.append(self._describe_frames(saw, sample, run))
                answer = self._describe_answer(run, key)
                chosen = _find_chosen(answer["answer"], sample, shared)
                of_run.append({**answer, "chosen": chosen, "frames": views[saw]})
            answers.append(of_run)
        return {
            "id": shown(item.id),
            "cluster": shown(item.cluster),
            "category": shown(item.category),
            "gold": shown(item.gold),
            **_describe_question(shared),
            "gold_option": _find_chosen(item.gold, shared, shared),
            "own": [
                _describe_own(own[item.id], shared) if shared and item.id in own else None
                for own in self._questions.own
            ],
            "frames": frames,
            "answers": answers,
        }

    def _describe_answer(self, run: Answers, key: ItemKey) -> dict[str, Any]:
        record = self._files.read(run.lines[key])
        found = _describe_record(record)
        found["others"] = [
            [shown(name), line.value, line.outcome.value, shown(line.answer), shown(line.rule)]
            for name, lines in run.scores.items()
            for line in [lines.get(key)]
            if line is not None
        ]
        return found

    def _describe_frames(
        self, saw: Shown, sample: StoredSample | None, run: Answers
    ) -> dict[str, Any]:
        clips = [self._describe_clip(saw, clip, sample, run) for clip in range(len(saw.indices))]
        return {"variant": saw.variant, "clips": clips}

    def _describe_clip(
        self, saw: Shown, clip: int, sample: StoredSample | None, run: Answers
    ) -> dict[str, Any]:
        """Say which frames were shown and where their pictures are, or why there are none."""
        found: dict[str, Any] = {
            "indices": saw.indices[clip],
            "times": saw.timestamps[clip] if clip < len(saw.timestamps) else [],
            "size": saw.sizes[clip] if clip < len(saw.sizes) else None,
        }
        if sample is None:
            return {**found, "problem": "the run does not name its videos (no samples.jsonl)"}
        if len(sample.media) != len(saw.indices):
            return {**found, "problem": "the question names other media than the record"}
        gap = find_gap(saw)
        if gap:
            return {**found, "problem": gap}
        stored = sample.media[clip]
        found |= {
            "path": shown(stored.path), "kind": stored.kind.value,
            "start": stored.start, "end": stored.end,
        }  # fmt: skip
        video = self._videos.find(stored, run)
        problem = "it was not looked for" if video is None else video.problem
        if video is None or problem or video.sprite is None:
            return {**found, "problem": shown(problem or "it has no picture")}
        mismatch = find_mismatch(video, saw, clip)
        if mismatch:
            return {**found, "problem": mismatch}
        sprite = video.sprite
        places = {index: cell for cell, index in enumerate(sprite.indices)}
        return {
            **found,
            "sprite": sprite.name,
            "cell": sprite.size,
            "columns": sprite.columns,
            "count": len(sprite.indices),
            "cells": [places[index] for index in saw.indices[clip]],
        }


def _describe_question(sample: StoredSample | None) -> dict[str, Any]:
    if sample is None:
        return {"question": None, "options": [], "kind": None, "prompt": None}
    return {
        "question": shown(sample.question),
        "options": [shown(option) for option in sample.options],
        "kind": sample.kind.value,
        "prompt": shown(sample.prompt),
        "before": [shown(text) for text in sample.before],
        "system": shown(sample.system),
        "prefill": shown(sample.prefill),
    }


def _describe_own(own: StoredSample, shared: StoredSample) -> dict[str, Any]:
    """Return the fields of a question that one run asked otherwise."""
    mine, theirs = _describe_question(own), _describe_question(shared)
    found = {name: value for name, value in mine.items() if value != theirs[name]}
    return {**found, "gold": shown(own.gold)} if own.gold != shared.gold else found


def _find_chosen(
    answer: str | None, asked: StoredSample | None, shared: StoredSample | None
) -> int | None:
    """Return the place of a chosen option among the shared ones, None where it names none."""
    if asked is None or shared is None or len(asked.options) > MAX_OPTIONS:
        return None
    place = chosen_option(answer, asked.options)
    if place is None or asked.options == shared.options:
        return place
    text = asked.options[place]
    return shared.options.index(text) if shared.options.count(text) == 1 else None


def _describe_record(record: Record) -> dict[str, Any]:
    failure = record.failure
    return {
        "repeat": record.repeat,
        "outcome": record.outcome.value,
        "value": record.value,
        "answer": shown(record.answer),
        "scorer": shown(record.scorer),
        "rule": shown(record.rule),
        "text": shown(record.text),
        "reasoning": shown(record.reasoning),
        "thought_tokens": record.reasoning_tokens,
        "thought_end": record.thought_end and record.thought_end.value,
        "finish": shown(record.finish_reason),
        "prompt_tokens": record.prompt_tokens,
        "output_tokens": record.output_tokens,
        "seconds": record.generate_s,
        "decode_s": record.decode_s,
        "notes": [shown(note) for note in record.media_notes],
        "asked": [[part.frames, shown(part.text)] for part in record.asked],
        "failure": failure and [shown(failure.stage), shown(failure.error), shown(failure.message)],
    }


def _search_text(item: Mapping[str, Any]) -> str:
    answers = [(one["answer"] or "")[:_SEARCHED] for of_run in item["answers"] for one in of_run]
    parts = [
        item["id"], item["cluster"], item["category"], item["question"], *item["options"],
        item["gold"], *dict.fromkeys(answers),
    ]  # fmt: skip
    return "\n".join(part for part in parts if part).lower()


def _count_characters(item: Mapping[str, Any]) -> int:
    texts = sum(
        len(one["text"] or "")
        + len(one["reasoning"] or "")
        + sum(len(text or "") for _, text in one["asked"])
        for of_run in item["answers"]
        for one in of_run
    )
    return texts + len(item["question"] or "") + len(item["prompt"] or "") + 500
