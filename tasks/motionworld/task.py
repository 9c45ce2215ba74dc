"""MotionWorld: does a model see what happens, and in which order?

Clips drawn by `tasks.motionworld.folder`, in pairs that differ in time only. A model that looks at
one frame, or at none, gives both twins the same answer and so is wrong about one of them.
Options are not shuffled, see `tasks.motionworld.splits`: this asks what is seen, not whether a list
of options is read.

One row per question, in the format of the paper's training data with ``aspect``, ``pair`` and
``look`` beside it. Twins are one cluster: what makes one of them hard makes the other hard.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.schema import (
    FramePolicy,
    FrameRule,
    Kind,
    Media,
    MediaKind,
    Prompt,
    Sample,
    Sampling,
    Score,
)
from harness.scoring.answers import (
    answer_tag,
    letters,
    number,
)
from harness.scoring.metrics import (
    mean_relative_accuracy,
    numerical_match,
)
from harness.scoring.prompts import (
    lettered,
    unlettered,
)
from harness.scoring.rules import (
    ScoreRule,
    binary_score,
    partial_score,
)
from harness.task.api import Questions
from harness.task.protocol import Protocol
from tasks.base import Benchmark
from tasks.files import Row, inside, read_rows
from tasks.motionworld.drawing import FPS, N_FRAMES, SIDE

FRAMES = FramePolicy(
    rule=FrameRule.VIDEO_R1,
    fps=FPS,
    min_frames=N_FRAMES,
    max_frames=N_FRAMES,
    min_pixels=SIDE * SIDE,
    max_pixels=SIDE * SIDE,
)
"""Every frame at its own size."""

QUESTIONS = "questions.json"

_MAX_TOKENS = 96
"""Several times the longest answer: a model that does not stop by then has lost its way."""


class MotionWorld(Benchmark):
    """Seven aspects of time, asked about pairs of conflicting clips."""

    name = "motionworld"
    version = 2
    title = "MotionWorld"
    homepage = "tasks/motionworld"
    official_frames = FRAMES
    official_sampling = Sampling(temperature=0.0, max_tokens=16)
    paper_frames = FRAMES

    def load(self, data: Path) -> Questions:
        """Read ``questions.json`` of one split."""
        file = data / QUESTIONS
        samples = tuple(self._sample(row, data) for row in read_rows(file))
        return Questions(samples=samples, files=(file,))

    def protocol(self, suite: str) -> Protocol:
        """Return the preset with room for short answers only."""
        preset = super().protocol(suite)
        assert preset.sampling is not None
        fewer = min(preset.sampling.max_tokens, _MAX_TOKENS)
        return replace(preset, sampling=replace(preset.sampling, max_tokens=fewer))

    def official_prompt(self, sample: Sample) -> Prompt:
        """Ask for the letter or the number and nothing else."""
        wanted = "letter" if sample.options else "number"
        return Prompt(
            text="\n".join(
                [sample.question, *lettered(sample.options), f"Answer with the {wanted} only."]
            )
        )

    def official_rule(self) -> ScoreRule:
        """Return the rule of VSI-Bench's kind: first word, exact or within relative bounds."""
        return score_official

    def _sample(self, row: Row, data: Path) -> Sample:
        path = row.text("path")
        gold = answer_tag(row.text("solution"))
        if gold is None:
            raise row.bad("solution", "<answer>...</answer>")
        return Sample(
            id=f"{self.name}/{Path(path).with_suffix('').as_posix()}",
            task=self.name,
            question=row.text("problem"),
            options=unlettered(row.texts("options")),
            answer=gold,
            kind=Kind(row.text("problem_type")),
            category=f"{row.text('aspect')}/{row.text('look')}",
            cluster=row.text("pair"),
            media=(
                Media(path=inside(data, path, row.where), kind=MediaKind(row.text("data_type"))),
            ),
        )


class MotionWorldStills(MotionWorld):
    """The image side of the world: colour, shape and place in still pictures."""

    name = "motionworld-stills"
    title = "MotionWorld stills"


def score_official(sample: Sample, text: str) -> Score:
    """Score the first word of a reply, without brackets and final dot.

    Letters and counts are right or wrong, widths get VSI-Bench's mean relative accuracy.
    """
    word = next(iter(text.split()), "").strip("().:")
    match sample.kind:
        case Kind.MULTIPLE_CHOICE:
            letter = word.upper()
            known = letter in letters(len(sample.options))
            return binary_score(letter == sample.answer if known else None, letter)
        case Kind.NUMERICAL:
            return binary_score(numerical_match(word, sample.answer), word)
        case _:
            value = number(word)
            if value is None:
                return binary_score(None, word)
            return partial_score(mean_relative_accuracy(value, float(sample.answer)), word)
