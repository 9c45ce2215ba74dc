"""Plans and writes rationales for training rows: a model writes them, the reward selects them.

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

from harness.errors import DatasetError
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
    """A benchmark of the training rows with one kind of media."""

    version = 1
    title = "Training rows"
    homepage = "the user's own files"
    official_frames = FramePolicy()
    official_sampling = AnnotateConfig().sampling

    def __init__(self, name: str, samples: Sequence[Sample], files: Sequence[Path]) -> None:
        self.name = name
        self._questions = Questions(samples=tuple(samples), files=tuple(files))

    def load(self, data: Path) -> Questions:
        """Return the rows that the benchmark was made with."""
        return self._questions

    def official_prompt(self, sample: Sample) -> Prompt:
        """Return the prompt of the training; rows have no other one."""
        return self.prompt(sample, prompts.VIDEO_R1)

    def official_rule(self) -> ScoreRule:
        """Return the rule that scores with the accuracy reward."""
        return reward_score


def reward_score(sample: Sample, text: str) -> Score:
    """Score a text with the accuracy reward; no answer where rationale or answer is missing."""
    answer = answer_tag(text)
    if answer is None or rationale_of(text) is None:
        return binary_score(None, None)
    return partial_score(accuracy(sample, text), answer)


def rationale_of(text: str) -> str | None:
    """Return the text between the first ``<think>`` tags; None without tags or text."""
    _, opened, rest = text.partition("<think>")
    thought, closed, _ = rest.partition("</think>")
    return (thought.strip() or None) if opened and closed else None


def make_plan(
    rows: Sequence[TrainingRow], files: Sequence[Path], frames: FrameSettings, sampling: Sampling
) -> Plan:
    """Return a plan with one question per row; images and videos have their own frame sizes."""
    by_media: dict[MediaKind, list[Sample]] = defaultdict(list)
    for row in rows:
        media = row.sample.media
        if len(media) > 1:
            raise DatasetError(
                f"{row.where}: rows of several media are not annotated; leave them out"
            )
        by_media[media[0].kind if media else MediaKind.IMAGE].append(row.sample)
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
    return Plan(
        tuple(
            _plan_task(
                TrainingQuestions(f"rows-{kind}", samples, files), kind, frames, sampling, digest
            )
            for kind, samples in by_media.items()
        )
    )


def _plan_task(
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
    """Counts of the rows of one problem type by what was written for them."""

    rows: int = 0
    kept: int = 0
    below: int = 0
    """Answered, with a reward that is not above the minimum."""
    no_rationale: int = 0
    """No ``<think>`` part, no answer, or truncated before it."""
    failed: int = 0


def tally(
    rows: Iterable[TrainingRow], records: Mapping[str, Record], min_reward: float
) -> dict[Kind, Tally]:
    """Count kept, rejected and failed rows by problem type."""
    counts: dict[Kind, Tally] = {}
    for row in rows:
        count = counts.setdefault(row.sample.kind, Tally())
        count.rows += 1
        record = records.get(row.sample.id)
        if record is None or record.outcome is Outcome.FAILED:
            count.failed += 1
        elif record.outcome in (Outcome.NO_ANSWER, Outcome.TRUNCATED, Outcome.REFUSED):
            count.no_rationale += 1
        elif is_kept(record, min_reward):
            count.kept += 1
        else:
            count.below += 1
    return counts


def is_kept(record: Record, min_reward: float) -> bool:
    """Return whether the reward of a record is above the minimum."""
    return record.value is not None and record.value > min_reward


def write_annotated(
    out: Path,
    rows: Sequence[TrainingRow],
    records: Mapping[str, Record],
    files: Sequence[Path],
    min_reward: float,
) -> None:
    """Write the kept rows with their new ``process``; other fields and order are the files'.

    The solution is the file's, too: a kept answer may be only nearly right.
    """
    sources: dict[str, Row] = {row.where: row for path in files for row in read_rows(path)}
    lines = []
    for row in rows:
        record = records.get(row.sample.id)
        if record is None or record.text is None or not is_kept(record, min_reward):
            continue
        process = f"<think>{rationale_of(record.text)}</think>"
        lines.append({**sources[row.where].fields, "process": process})
    _write_rows(out, lines)


def _write_rows(out: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a JSON list or JSON Lines, as the suffix says, in one atomic write."""
    if out.suffix == ".json":
        lines = (json.dumps(row, ensure_ascii=False) for row in rows)
        write_text(out, "[\n" + ",\n".join(lines) + "\n]\n")
    else:
        write_json_lines(out, rows)
