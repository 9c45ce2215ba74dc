"""The base class of benchmarks: two protocols, the scorers, and the Video-R1 preset.

A benchmark's module adds what is its own: data layout, official prompt, official scorer,
aggregation, and its publishers' frame rule and sampling.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from harness.data.fetch import Source
from harness.errors import UsageError
from harness.schema import (
    FramePolicy,
    FrameRule,
    Outcome,
    Prompt,
    Record,
    Sample,
    Sampling,
    Score,
)
from harness.scoring import prompts
from harness.scoring.flexible import score as flexible
from harness.scoring.options import rotate_options
from harness.scoring.rules import (
    ScoreRule,
    after_answer_tag,
    score_video_r1,
)
from harness.task import registry
from harness.task.api import (
    Aggregation,
    Questions,
    Scorer,
)
from harness.task.protocol import Protocol
from tasks.files import Row, first_existing, read_rows

OFFICIAL = "official"
SUITES = (prompts.VIDEO_R1, OFFICIAL)

MICRO = Aggregation(name="micro", levels=lambda category: ())

PAPER_FRAMES = FramePolicy(rule=FrameRule.VIDEO_R1, fps=2.0, min_frames=4, max_frames=16)
"""Video-R1's evaluation: 2 frames per second, at most 16 frames (its other settings, 32 and 64, are
set by flag), 128 x 28 x 28 to 256 x 28 x 28 pixels each. Source: Video-R1 ``src/eval_bench.py``."""

PAPER_SAMPLING = Sampling(temperature=0.01, top_p=0.001, max_tokens=1024)
"""As in Video-R1's paper (arXiv 2503.21776) and README; its script has temperature 0.1."""

MODEL_PIXELS = (128 * 28 * 28, 768 * 28 * 28)
"""Least and most pixels per frame where publishers leave the size to the model: the defaults of
qwen-vl-utils for videos."""

MODEL_SIZED = FramePolicy(min_pixels=MODEL_PIXELS[0], max_pixels=MODEL_PIXELS[1])
"""Frames of the model's size, for `dataclasses.replace` with the publishers' rule and number."""


Total = Callable[[Sequence[Record]], float | None]
"""Computes a score (0 to 1) from all records of a task."""
Units = Callable[[Sequence[Record]], Mapping[str, float]]
"""Computes values (0 to 1) by cluster from all records of a task."""


class Benchmark(ABC):
    """A benchmark with the presets ``video-r1`` and ``official``: a `harness.task.api.Task`.

    A subclass sets the attributes without a default and implements `make_sample` (or `load`),
    `official_prompt` and `official_rule`. `docs/benchmarks.md` has an example.
    """

    name: str
    """Name of the task and, without a `source`, of its folder under the data root."""
    version: int
    """Raised with every change of prompts or item handling; part of the protocol hash."""
    title: str
    """Display name."""
    homepage: str
    """Where the data is published."""
    source: Source | None = None
    """What ``videor1 data fetch`` downloads; None: users bring the data themselves."""
    question_files: tuple[str, ...] = ()
    """Patterns below the folder; the files of the first one with a match are read by `load`."""
    published_size: tuple[int, int | None] | None = None
    """Number of questions and of videos, as published; None where they do not say it."""
    official_version: int = 1
    """Raised with every change of the official rule's scores; part of the scorer's tag."""
    official_frames: FramePolicy
    official_sampling: Sampling
    official_aggregation: Aggregation = MICRO
    paper_frames: FramePolicy = PAPER_FRAMES
    paper_aggregation: Aggregation = MICRO
    """``official_*`` and ``paper_*`` belong to the presets ``official`` and ``video-r1``."""
    paper_trimmed: bool = False
    """Whether Video-R1's file, or one like it, has no blanks around questions and options."""

    def load(self, data: Path) -> Questions:
        """Read every question in `data`, the benchmark's own folder.

        Rows of `question_files` are made samples by `make_sample`; other layouts replace this.

        Raises:
            DatasetError: A file is missing or a row is malformed.
        """
        if not self.question_files:
            raise NotImplementedError(f"{type(self).__name__} has no `question_files` or `load`")
        files = first_existing(data, *self.question_files)
        rows = (row for file in files for row in read_rows(file))
        samples = tuple(self.make_sample(row, data) for row in rows)
        return Questions(samples=samples, files=tuple(files))

    def make_sample(self, row: Row, data: Path) -> Sample:
        """Make the sample of a row; media lie below `data`, the benchmark's own folder.

        Raises:
            DatasetError: The row is malformed.
        """
        raise NotImplementedError(f"{type(self).__name__} has neither `load` nor `make_sample`")

    @abstractmethod
    def official_prompt(self, sample: Sample) -> Prompt:
        """Return the publishers' prompt for one question."""

    def other_prompts(self) -> Mapping[str, Callable[[Sample], Prompt]]:
        """Return the publishers' further prompts by name, the ``template`` of a protocol file."""
        return {}

    @abstractmethod
    def official_rule(self) -> ScoreRule:
        """Return the publishers' rule: a function of sample and response text."""

    def official_leaves_out(self, sample: Sample) -> bool:
        """Return whether the publishers' rule leaves a question out, whatever is answered."""
        return False

    def official_total(self) -> Total | None:
        """Return how the publishers make the score of all records; None: the mean of items."""
        return _mean_of(self.official_units())

    def mended_total(self) -> Total | None:
        """Return the same for the other scorers, without the publishers' errors."""
        return _mean_of(self.mended_units())

    def official_units(self) -> Units | None:
        """Return how the publishers value each video, where the score is the mean of that."""
        return None

    def mended_units(self) -> Units | None:
        """Return the same for the other scorers, without the publishers' errors."""
        return None

    def paper_leaves_out(self, sample: Sample) -> bool:
        """Return whether Video-R1 does not ask a question of its kind; the mean leaves it out."""
        return False

    def option_labels(self, sample: Sample) -> tuple[str, ...]:
        """Return what the official prompt calls the options, where it does not use letters."""
        return ()

    def flexible_score(self, sample: Sample, text: str) -> Score:
        """Score by the rules of ``flexible``; open questions, which these do not read, officially.

        Source: `harness.scoring.flexible`; docs/flexible.md has the rules.
        """
        if sample.kind not in flexible.READ_KINDS:
            return self.official_rule()(sample, text)
        return flexible.score_flexible(sample, text, self.option_labels(sample))

    def rotate_options(self, sample: Sample, places: int) -> Sample:
        """Return a question with its options moved down by some places, and its gold with them.

        A benchmark whose prompts or scorers read options in `Sample.source` moves them there, too.
        Raises `FixedOptionsError` where that is not possible.
        """
        return rotate_options(sample, places)

    def paper_sample(self, sample: Sample) -> Sample:
        """Return a question as Video-R1 asks and scores it: as published, or `paper_trimmed`."""
        return without_blanks(sample) if self.paper_trimmed else sample

    @property
    def scorers(self) -> Mapping[str, Scorer]:
        """Return the scorers by name: the presets' and the others, and those of bridges."""
        rule, means = self.official_rule(), self.official_aggregation
        total, units = self.official_total(), self.official_units()
        mended, mended_units = self.mended_total(), self.mended_units()
        bridged = registry.bridged_scorers(self.name, means)
        table = (
            Scorer(
                name=OFFICIAL,
                version=self.official_version,
                score=rule,
                aggregation=means,
                leaves_out=self.official_leaves_out,
                total=total,
                units=units,
            ),
            Scorer(
                name="official+answer",
                version=self.official_version,
                score=after_answer_tag(rule),
                aggregation=means,
                leaves_out=self.official_leaves_out,
                total=total,
                units=units,
            ),
            Scorer(
                name=prompts.VIDEO_R1,
                version=1,
                score=self._score_as_paper,
                aggregation=self.paper_aggregation,
                leaves_out=self.paper_leaves_out,
                total=mended,
                units=mended_units,
            ),
            Scorer(
                name=flexible.NAME,
                version=flexible.VERSION,
                score=self.flexible_score,
                aggregation=means,
                leaves_out=self.official_leaves_out,
                total=mended,
                units=mended_units,
            ),
            *(replace(scorer, total=mended, units=mended_units) for scorer in bridged),
        )
        return {scorer.name: scorer for scorer in table}

    def _score_as_paper(self, sample: Sample, text: str) -> Score:
        if self.paper_leaves_out(sample):
            return Score(value=None, outcome=Outcome.NO_ANSWER)
        return score_video_r1(self.paper_sample(sample), text)

    def protocol(self, suite: str) -> Protocol:
        """Return the preset ``video-r1`` or ``official``; raise `UsageError` for another name."""
        if suite not in SUITES:
            raise UsageError(f"unknown protocol {suite!r}; known: {', '.join(SUITES)}")
        paper = suite == prompts.VIDEO_R1
        return Protocol(
            suite=suite,
            task=f"{self.name}@{self.version}",
            template=suite,
            frames=self.paper_frames if paper else self.official_frames,
            sampling=PAPER_SAMPLING if paper else self.official_sampling,
            scorer=self.scorers[suite].tag,
        )

    def prompt(self, sample: Sample, template: str) -> Prompt:
        """Return the prompt for one question in the template ``video-r1``, ``official`` or another.

        Raises:
            UsageError: The benchmark has no template of that name.
        """
        if template == prompts.VIDEO_R1:
            asked = self.paper_sample(sample)
            return Prompt(text=prompts.video_r1(asked.question, asked.kind, asked.options))
        if template == OFFICIAL:
            return self.official_prompt(sample)
        others = self.other_prompts()
        if template in others:
            return others[template](sample)
        known = ", ".join((*SUITES, *others))
        raise UsageError(f"unknown template {template!r}; known: {known}")

    def with_llm_judge(self, base_url: str, model: str) -> Scorer | None:
        """Return the official scorer with an LLM judge, None if the benchmark has none."""
        return None

    def extra(self, run: Mapping[str, Sequence[Record]]) -> dict[str, float]:
        """Return further figures from a run's records by task; most benchmarks have none."""
        return {}


def _mean_of(units: Units | None) -> Total | None:
    if units is None:
        return None

    def total(records: Sequence[Record]) -> float | None:
        values = units(records).values()
        return fmean(values) if values else None

    return total


def without_blanks(sample: Sample) -> Sample:
    """Return a question as Video-R1's files have it: no outer white space, line ends of Unix."""
    question, *options = (
        text.replace("\r\n", "\n").strip() for text in (sample.question, *sample.options)
    )
    return replace(sample, question=question, options=tuple(options))
