"""VSI-Bench: counts, distances, sizes, directions, routes and order in indoor walkthroughs.

5,130 questions about 288 videos. Publisher: nyu-visionx/VSI-Bench on the Hugging Face hub; its
``test.jsonl`` or its Parquet files are read. Official prompts, extraction, metric and aggregation:
vision-x-nyu/thinking-in-space@51e089c; paper: arXiv 2412.14171.

Deliberate departures and known differences:

- All questions are read, the data card's config ``full``. ``vsibench:debiased`` selects the 2,362
  questions of VSI-Bench-Debiased v1 (vision-x-nyu/test-set-training@472257c), joined by id, and
  ``vsibench:pruned`` the others; a run of all of them has the scores of the debiased ones in its
  summary. Its paper averages over questions, the official code over eight tasks: both are there.
  ``videor1 probe`` shows both sets with and without frames and the gap, as its publisher asks.
- The publishers ran open models on 8 or 32 evenly spaced frames, depending on the model. Ours are
  32 for every model, truncated as theirs are; they have the size that the model chooses.
- Numerical questions have the publishers' default wording; the template ``official-api`` has that
  of their GPT and Gemini runs ("Do not response anything other than a single number!").
- The official code fails on a subset that has easy direction questions but no medium or hard ones.
  Here the mean over directions is that of the types in the subset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.run.summary import estimate_score
from harness.schema import (
    FrameRule,
    Kind,
    Media,
    Prompt,
    Record,
    Sample,
    Sampling,
    Score,
)
from harness.scoring.answers import (
    letters,
    number,
)
from harness.scoring.metrics import mean_relative_accuracy
from harness.scoring.prompts import (
    VIDEO_R1,
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
from tasks.base import MICRO, MODEL_SIZED, Benchmark
from tasks.files import Row, first_existing, inside, read_rows, read_text

DIRECTION = "object_rel_direction"
DEBIASED = "debiased"
OFFICIAL_API = "official-api"

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
    published_size = (5130, 288)
    homepage = "https://huggingface.co/datasets/nyu-visionx/VSI-Bench"
    source = sources.VSIBENCH
    official_frames = replace(MODEL_SIZED, rule=FrameRule.LINSPACE, max_frames=32)
    official_sampling = Sampling(temperature=0.0, max_tokens=16)
    official_aggregation = Aggregation(name="macro8", levels=_task_path)
    paper_aggregation = Aggregation(name="acc_mra_mean", levels=_metric_path)
    _debiased: frozenset[str] = frozenset()

    def load(self, data: Path) -> Questions:
        """Read ``test.jsonl`` or the hub's Parquet files, old or new."""
        # Since November 2025 the hub has the Parquet files test_debiased and test_pruned, which
        # together are the full set; before, it had test-00000-of-00001.
        files = first_existing(data, "test.jsonl", "test-*.parquet", "test*.parquet", "test.json")
        rows = [(file, row) for file in files for row in read_rows(file)]
        samples = tuple(_make_sample(row, data) for _, row in rows)
        subsets = _read_subsets(rows, data)
        self._debiased = subsets.get(DEBIASED, frozenset())
        return Questions(samples=samples, files=tuple(files), subsets=subsets, beside=(DEBIASED,))

    def official_prompt(self, sample: Sample) -> Prompt:
        """Return the published prompt, which asks for a letter, a word or a phrase alone."""
        return _prompt(sample, "Please answer the question using a single word or phrase.")

    def other_prompts(self) -> Mapping[str, Callable[[Sample], Prompt]]:
        """Return the publishers' prompt for GPT and Gemini."""
        return {
            OFFICIAL_API: lambda sample: _prompt(
                sample, "Do not response anything other than a single number!"
            )
        }

    def extra(self, run: Mapping[str, Sequence[Record]]) -> dict[str, float]:
        """Return the scores of the debiased questions where a run has others as well.

        ``debiased`` is averaged as the score is, ``debiased_micro`` and ``full_micro`` are means of
        questions.
        """
        records = [r for r in run.get(self.name, ()) if r.value is not None]
        kept = [record for record in records if record.id in self._debiased]
        if not kept or len(kept) == len(records):
            return {}
        paper = records[0].scorer.startswith(f"{VIDEO_R1}@")
        means = self.paper_aggregation if paper else self.official_aggregation
        figures = {
            DEBIASED: estimate_score(kept, means),
            f"{DEBIASED}_micro": estimate_score(kept, MICRO),
            "full_micro": estimate_score(records, MICRO),
        }
        return {name: 100 * one.mean for name, one in figures.items() if one is not None}

    def official_rule(self) -> ScoreRule:
        """Return `score_official`: exact match or mean relative accuracy of the first word."""
        return score_official


def _prompt(sample: Sample, for_numbers: str) -> Prompt:
    """Return the publishers' prompt with one of their instructions for numbers."""
    lines = ["These are frames of a video.", sample.question]
    if sample.kind is Kind.MULTIPLE_CHOICE:
        lines += ["Options:", *lettered(sample.options)]
        lines += ["Answer with the option's letter from the given choices directly."]
    else:
        lines += [for_numbers]
    return Prompt(text="\n".join(lines))


def _read_subsets(rows: Sequence[tuple[Path, Row]], data: Path) -> dict[str, frozenset[str]]:
    """Return the ids of the debiased and of the pruned questions; empty for data without them.

    They are told by the column ``pruned``, else by the list ``pruned_ids.txt``, else by the name of
    the Parquet file. Data of before November 2025 have none of these.
    """
    listed = data / "pruned_ids.txt"
    parts = [row for file, row in rows if file.stem.startswith("test_pruned")]
    if all(row.fields.get("pruned") is not None for _, row in rows):
        pruned = {row.scalar("id") for _, row in rows if _is_pruned(row)}
    elif listed.is_file():
        pruned = set(read_text(listed).split())
    elif parts:
        pruned = {row.scalar("id") for row in parts}
    else:
        return {}
    ids = {row.scalar("id") for _, row in rows}
    named = {DEBIASED: ids - pruned, "pruned": ids & pruned}
    return {
        name: frozenset(f"{VSIBench.name}/{one}" for one in found) for name, found in named.items()
    }


def _is_pruned(row: Row) -> bool:
    pruned = row.fields["pruned"]
    if not isinstance(pruned, bool):
        raise row.bad("pruned", "true or false")
    return pruned


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
    options = () if numerical else row.options("options")
    video = f"{row.text('dataset')}/{row.scalar('scene_name')}"
    return Sample(
        id=f"vsibench/{row.scalar('id')}",
        task="vsibench",
        question=row.text("question"),
        answer=_read_number(row) if numerical else row.letter("ground_truth", len(options)),
        kind=Kind.REGRESSION if numerical else Kind.MULTIPLE_CHOICE,
        category=question_type,
        cluster=video,
        options=unlettered(options),
        media=(Media(path=inside(data, f"{video}.mp4", row.where)),),
    )


def _read_number(row: Row) -> str:
    gold = row.scalar("ground_truth")
    if (_bare_number(gold) or 0.0) <= 0:  # the relative error is undefined for 0
        raise row.bad("ground_truth", "a number above 0")
    return gold
