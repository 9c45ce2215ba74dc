"""MotionWorld: small drawn clips in contrast pairs that differ in time only.

Publisher: this project; `tasks.motionworld.folder` writes the data. Layout: ``questions.json``, a
list of rows in Video-R1's training format with ``aspect``, ``pair`` and ``look`` added (and
``mark`` in the clips of `tasks.motionworld.marks`), beside the media that they name. The
``official`` prompt and scorer are this module's.

- A model that uses one frame, or none, gives both clips of a pair the same answer, so one of its
  two answers is wrong.
- The two clips of a pair are one cluster: what makes one difficult makes the other difficult.
- Options are not shuffled (`tasks.motionworld.splits` says why): the benchmark measures perception,
  not whether a model can read a list of options.
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
"""All frames of a clip, in their original size."""

QUESTIONS = "questions.json"

_MAX_TOKENS = 96
"""Several times the length of the longest answer."""


class MotionWorld(Benchmark):
    """Video questions about seven aspects of time."""

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
        """Return the preset with `_MAX_TOKENS` new tokens at most."""
        preset = super().protocol(suite)
        assert preset.sampling is not None
        fewer = min(preset.sampling.max_tokens, _MAX_TOKENS)
        return replace(preset, sampling=replace(preset.sampling, max_tokens=fewer))

    def official_prompt(self, sample: Sample) -> Prompt:
        """Ask for the letter or the number alone."""
        wanted = "letter" if sample.options else "number"
        return Prompt(
            text="\n".join(
                [sample.question, *lettered(sample.options), f"Answer with the {wanted} only."]
            )
        )

    def official_rule(self) -> ScoreRule:
        """Return `score_official`, which reads the first word of a reply."""
        return score_official

    def _sample(self, row: Row, data: Path) -> Sample:
        path = row.text("path")
        mark = [row.text("mark")] if "mark" in row.fields else []
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
            category="/".join([row.text("aspect"), row.text("look"), *mark]),
            cluster=row.text("pair"),
            media=(
                Media(path=inside(data, path, row.where), kind=MediaKind(row.text("data_type"))),
            ),
        )


class MotionWorldStills(MotionWorld):
    """Image questions: colour, shape and place in still pictures."""

    name = "motionworld-stills"
    title = "MotionWorld stills"


def score_official(sample: Sample, text: str) -> Score:
    """Score the first word of a reply, without brackets and final full stop.

    Letters and counts are right or wrong; widths are scored by mean relative accuracy, as in
    VSI-Bench.
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
