"""Rationales for training rows, written by a model and kept where its answer earns enough.

Annotating is an evaluation of the rows with their reward as the score, so that it resumes, decodes
and counts failures as any run. Defaults are those of Video-R1's CoT generation (docs/sources.md):
temperature 1.0, top_p 0.95, 512 tokens, kept above a rule reward of 0.6.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.files import write_json_lines, write_text
from harness.run.plan import (
    Plan,
    PlannedTask,
)
from harness.schema import (
    FramePolicy,
    Kind,
    MediaKind,
    Outcome,
    Prompt,
    Record,
    Sample,
    Sampling,
    Score,
)
from harness.scoring import prompts
from harness.scoring.answers import answer_tag
from harness.scoring.rules import (
    ScoreRule,
    binary_score,
    partial_score,
)
from harness.task.api import (
    Questions,
    Scorer,
)
from harness.task.protocol import Protocol
from tasks.base import MICRO, Benchmark
from tasks.files import Row, read_rows
from trainer.config.annotation import AnnotateConfig
from trainer.config.sections import FrameSettings
from trainer.data.rows import TrainingRow
from trainer.rewards.rewards import accuracy


class TrainingQuestions(Benchmark):
    """The rows of one kind of media, asked as a benchmark."""

    version = 1
    title = "Training rows"
    homepage = "the user's own files"
    official_frames = FramePolicy()
    official_sampling = AnnotateConfig().sampling

    def __init__(self, name: str, samples: Sequence[Sample], files: Sequence[Path]) -> None:
        self.name = name
        self._questions = Questions(samples=tuple(samples), files=tuple(files))

    def load(self, data: Path) -> Questions:
        """Return the rows that were read before."""
        return self._questions

    def official_prompt(self, sample: Sample) -> Prompt:
        """Build the training prompt, the only one that rows have."""
        return self.prompt(sample, prompts.VIDEO_R1)

    def official_rule(self) -> ScoreRule:
        """Return the accuracy reward as a score."""
        return reward_score


def reward_score(sample: Sample, text: str) -> Score:
    """Score a text with the accuracy reward; without rationale and answer it has no use here."""
    answer = answer_tag(text)
    if answer is None or rationale_of(text) is None:
        return binary_score(None, None)
    return partial_score(accuracy(sample, text), answer)


def rationale_of(text: str) -> str | None:
    """Return what stands between the first ``<think>`` tags, None without them or between them."""
    _, opened, rest = text.partition("<think>")
    thought, closed, _ = rest.partition("</think>")
    return (thought.strip() or None) if opened and closed else None


def make_plan(
    rows: Sequence[TrainingRow], files: Sequence[Path], frames: FrameSettings, sampling: Sampling
) -> Plan:
    """Plan one question per row, images and videos with their own frame sizes."""
    by_media: dict[MediaKind, list[Sample]] = defaultdict(list)
    for row in rows:
        media = row.sample.media
        by_media[media[0].kind if media else MediaKind.IMAGE].append(row.sample)
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
    return Plan(
        tuple(
            _planned(
                TrainingQuestions(f"rows-{kind}", samples, files), kind, frames, sampling, digest
            )
            for kind, samples in by_media.items()
        )
    )


def _planned(
    task: TrainingQuestions,
    kind: MediaKind,
    frames: FrameSettings,
    sampling: Sampling,
    fingerprint: str,
) -> PlannedTask:
    scorer = Scorer(name="reward", version=1, score=reward_score, aggregation=MICRO)
    return PlannedTask(
        selection=task.name,
        task=task,
        protocol=Protocol(
            suite="annotate",
            task=f"{task.name}@{task.version}",
            template=prompts.VIDEO_R1,
            frames=frames.policy(kind),
            sampling=sampling,
            scorer=scorer.tag,
        ),
        scorer=scorer,
        samples=task.load(Path()).samples,
        fingerprint=fingerprint,
    )


@dataclass(slots=True)
class Tally:
    """What became of the rows of one problem type."""

    rows: int = 0
    kept: int = 0
    below: int = 0
    """Answered, but the reward was too small."""
    no_rationale: int = 0
    """No ``<think>`` part or no answer, or cut off before it."""
    failed: int = 0


def tally(
    rows: Iterable[TrainingRow], records: Mapping[str, Record], min_reward: float
) -> dict[Kind, Tally]:
    """Count what became of the rows, by problem type."""
    counts: dict[Kind, Tally] = {}
    for row in rows:
        count = counts.setdefault(row.sample.kind, Tally())
        count.rows += 1
        record = records.get(row.sample.id)
        if record is None or record.outcome is Outcome.FAILED:
            count.failed += 1
        elif record.outcome in (Outcome.NO_ANSWER, Outcome.TRUNCATED):
            count.no_rationale += 1
        elif is_kept(record, min_reward):
            count.kept += 1
        else:
            count.below += 1
    return counts


def is_kept(record: Record, min_reward: float) -> bool:
    """Tell whether a record's rationale is worth learning."""
    return record.value is not None and record.value > min_reward


def write_annotated(
    out: Path,
    rows: Sequence[TrainingRow],
    records: Mapping[str, Record],
    files: Sequence[Path],
    min_reward: float,
) -> None:
    """Write the kept rows with their new ``process``, all else as in their files, in their order.

    The solution stays the file's: a rationale may have led to an answer that is nearly right.
    """
    sources: dict[str, Row] = {row.where: row for path in files for row in read_rows(path)}
    lines = []
    for row in rows:
        record = records.get(row.sample.id)
        if record is None or record.text is None or not is_kept(record, min_reward):
            continue
        process = f"<think>{rationale_of(record.text)}</think>"
        lines.append({**sources[row.where].fields, "process": process})
    _write(out, lines)


def _write(out: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a JSON list or JSON Lines, by the suffix, whole or not at all."""
    if out.suffix == ".json":
        lines = (json.dumps(row, ensure_ascii=False) for row in rows)
        write_text(out, "[\n" + ",\n".join(lines) + "\n]\n")
    else:
        write_json_lines(out, rows)
