"""VSI-Bench: counts, distances, sizes, directions, routes and order in indoor walkthroughs.

5,130 questions about 288 videos. Publisher: nyu-visionx/VSI-Bench on the Hugging Face hub; its
``test.jsonl`` or its Parquet files are read. Official prompts, extraction, metric and aggregation:
vision-x-nyu/thinking-in-space@51e089c; paper: arXiv 2412.14171.

Deliberate departures and known differences:

- All questions are read, the data card's config ``full``; the column ``pruned`` is ignored.
- The publishers ran open models on 8 or 32 evenly spaced frames, depending on the model. Ours are
  32 for every model, truncated as theirs are; they have the size that the model chooses.
- Numerical questions have the publishers' default wording, not that of their GPT and Gemini runs
  ("Do not response anything other than a single number!").
- The official code fails on a subset that has easy direction questions but no medium or hard ones.
  Here the mean over directions is that of the types in the subset.
"""

from __future__ import annotations

from pathlib import Path

from harness.schema import FramePolicy, FrameRule, Kind, Media, Prompt, Sample, Sampling, Score
from harness.scoring.answers import (
    letters,
    number,
)
from harness.scoring.metrics import mean_relative_accuracy
from harness.scoring.prompts import (
    lettered,
    unlettered,
)
from harness.scoring.rules import (
    ScoreRule,
    binary_score,
    partial_score,
)
from harness.task.api import (
    Aggregation,
    Questions,
)
from tasks import sources
from tasks.base import MODEL_PIXELS, Benchmark
from tasks.files import Row, first_existing, inside, read_rows

DIRECTION = "object_rel_direction"

NUMERICAL_TYPES = frozenset(
    {"object_counting", "object_abs_distance", "object_size_estimation", "room_size_estimation"}
)
CHOICE_TYPES = frozenset(
    {
        "object_rel_distance",
        f"{DIRECTION}_easy",
        f"{DIRECTION}_medium",
        f"{DIRECTION}_hard",
        "route_planning",
        "obj_appearance_order",
    }
)


def _task_path(question_type: str) -> tuple[str, ...]:
    """Return the aggregation path, which groups the three direction types into one task."""
    direction = question_type.startswith(DIRECTION)
    return (DIRECTION, question_type) if direction else (question_type,)


def _metric_path(question_type: str) -> tuple[str, ...]:
    return ("mean_mra",) if question_type in NUMERICAL_TYPES else ("mean_acc",)


class VSIBench(Benchmark):
    """VSI-Bench with its official prompt, first-word extraction and mean over eight tasks."""

    name = "vsibench"
    version = 1
    title = "VSI-Bench"
    homepage = "https://huggingface.co/datasets/nyu-visionx/VSI-Bench"
    source = sources.VSIBENCH
    official_frames = FramePolicy(
        rule=FrameRule.LINSPACE,
        max_frames=32,
        min_pixels=MODEL_PIXELS[0],
        max_pixels=MODEL_PIXELS[1],
    )
    official_sampling = Sampling(temperature=0.0, max_tokens=16)
    official_aggregation = Aggregation(name="macro8", levels=_task_path)
    paper_aggregation = Aggregation(name="acc_mra_mean", levels=_metric_path)

    def load(self, data: Path) -> Questions:
        """Read ``test.jsonl`` or the hub's Parquet files, old or new."""
        # Since November 2025 the hub has the Parquet files test_debiased and test_pruned, which
        # together are the full set; before, it had test-00000-of-00001.
        files = first_existing(data, "test.jsonl", "test-*.parquet", "test*.parquet", "test.json")
        rows = [row for file in files for row in read_rows(file)]
        return Questions(samples=tuple(_make_sample(row, data) for row in rows), files=tuple(files))

    def official_prompt(self, sample: Sample) -> Prompt:
        """Return the published prompt, which asks for a letter, a word or a phrase alone."""
        lines = ["These are frames of a video.", sample.question]
        if sample.kind is Kind.MULTIPLE_CHOICE:
            lines += ["Options:", *lettered(sample.options)]
            lines += ["Answer with the option's letter from the given choices directly."]
        else:
            lines += ["Please answer the question using a single word or phrase."]
        return Prompt(text="\n".join(lines))

    def official_rule(self) -> ScoreRule:
        """Return `score_official`: exact match or mean relative accuracy of the first word."""
        return score_official


def score_official(sample: Sample, text: str) -> Score:
    """Score the text before the first space, as the publishers' ``fuzzy_matching`` does."""
    word = text.split(" ")[0].rstrip(".").strip()
    if sample.kind is Kind.REGRESSION:
        value = _bare_number(word)
        if value is None:
            return binary_score(None, None)
        return partial_score(mean_relative_accuracy(value, float(sample.answer)), word)
    known = {letter.lower(): letter for letter in letters(len(sample.options))}
    letter = known.get(word.lower())
    return binary_score(None if letter is None else letter == sample.answer, letter)


def _bare_number(text: str) -> float | None:
    """Return the number, None if the text is not one; a comma is not part of a number."""
    return None if "," in text else number(text)


def _make_sample(row: Row, data: Path) -> Sample:
    question_type = row.text("question_type")
    if question_type not in NUMERICAL_TYPES | CHOICE_TYPES:
        raise row.bad("question_type", "one of the ten types of VSI-Bench")
    numerical = question_type in NUMERICAL_TYPES
    video = f"{row.text('dataset')}/{row.scalar('scene_name')}"
    return Sample(
        id=f"vsibench/{row.scalar('id')}",
        task="vsibench",
        question=row.text("question"),
        answer=_read_number(row) if numerical else _read_letter(row),
        kind=Kind.REGRESSION if numerical else Kind.MULTIPLE_CHOICE,
        category=question_type,
        cluster=video,
        options=() if numerical else unlettered(row.options("options")),
        media=(Media(path=inside(data, f"{video}.mp4", row.where)),),
    )


def _read_number(row: Row) -> str:
    gold = row.scalar("ground_truth")
    if (_bare_number(gold) or 0.0) <= 0:  # the relative error is undefined for 0
        raise row.bad("ground_truth", "a number above 0")
    return gold


def _read_letter(row: Row) -> str:
    gold = row.text("ground_truth")
    if gold not in letters(len(row.options("options"))):
        raise row.bad("ground_truth", "the letter of one of the options")
    return gold
