"""What our four benchmarks share: the Video-R1 preset, the scorer table and the CoT recast.

A benchmark module states only what is its own: layout, official prompt, official scorer,
aggregation, and the frame rule and sampling of its publishers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.data.fetch import Source
from harness.errors import UsageError
from harness.schema import FramePolicy, FrameRule, Prompt, Record, Sample, Sampling
from harness.scoring import prompts
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

OFFICIAL = "official"
SUITES = (prompts.VIDEO_R1, OFFICIAL)

MICRO = Aggregation(name="micro", levels=lambda category: ())

PAPER_FRAMES = FramePolicy(rule=FrameRule.VIDEO_R1, fps=2.0, min_frames=4, max_frames=16)
"""Video-R1's evaluation: 2 fps, at most 16 frames (32 and 64 by flag), 128-256 x 28 x 28 pixels."""

PAPER_SAMPLING = Sampling(temperature=0.01, top_p=0.001, max_tokens=1024)
"""As in the paper and its README; the published script says temperature 0.1."""

MODEL_PIXELS = (128 * 28 * 28, 768 * 28 * 28)
"""Pixels per frame where publishers leave size to the model: qwen-vl-utils' video defaults."""


class Benchmark(ABC):
    """Base of the built-in tasks; satisfies `harness.task.api.Task`."""

    name: str
    version: int
    title: str
    homepage: str
    source: Source | None = None
    official_frames: FramePolicy
    official_sampling: Sampling
    official_aggregation: Aggregation = MICRO
    paper_frames: FramePolicy = PAPER_FRAMES
    paper_aggregation: Aggregation = MICRO

    @abstractmethod
    def load(self, data: Path) -> Questions:
        """Read every question under the benchmark's own folder."""

    @abstractmethod
    def official_prompt(self, sample: Sample) -> Prompt:
        """Build the publishers' prompt."""

    @abstractmethod
    def official_rule(self) -> ScoreRule:
        """Return the publishers' scoring rule."""

    @property
    def scorers(self) -> Mapping[str, Scorer]:
        """Return the scorers by name: the presets', ``official+answer``, and those of bridges."""
        rule, means = self.official_rule(), self.official_aggregation
        table = (
            Scorer(name=OFFICIAL, version=1, score=rule, aggregation=means),
            Scorer(
                name="official+answer", version=1, score=after_answer_tag(rule), aggregation=means
            ),
            Scorer(
                name=prompts.VIDEO_R1,
                version=1,
                score=score_video_r1,
                aggregation=self.paper_aggregation,
            ),
            *registry.bridged_scorers(self.name, means),
        )
        return {scorer.name: scorer for scorer in table}

    def protocol(self, suite: str) -> Protocol:
        """Return the ``video-r1`` or ``official`` preset of this benchmark."""
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
        """Build the question in the named template."""
        if template == prompts.VIDEO_R1:
            return Prompt(text=prompts.video_r1(sample.question, sample.kind, sample.options))
        if template == OFFICIAL:
            return self.official_prompt(sample)
        raise UsageError(f"unknown template {template!r}; known: {', '.join(SUITES)}")

    def with_llm_judge(self, base_url: str, model: str) -> Scorer | None:
        """Return the official rules helped by a judge model, None where rules suffice."""
        return None

    def extra(self, run: Mapping[str, Sequence[Record]]) -> dict[str, float]:
        """Return benchmark-specific figures; most benchmarks have none."""
        return {}
