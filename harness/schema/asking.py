"""Defines how an item is asked: which frames are shown, and how the engine decodes text.

These are the parts of a protocol that engines and decoders read, and the texts between frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from harness.bounds import between

LATER: Mapping[str, Any] = {"later": True}
"""Metadata of protocol fields that the first edition did not have. At its default such a field is
left out of the text that a protocol's hash is made of, so that old hashes stay."""

TemplateArgs = Mapping[str, bool | int | float | str]
"""Values of a chat template's own variables, such as ``enable_thinking``."""


class Variant(StrEnum):
    """How the frames of a clip are rearranged before the model sees them."""

    ORDERED = "ordered"
    SHUFFLED = "shuffled"
    REVERSED = "reversed"
    SINGLE = "single"
    """Only the middle one of the sampled frames."""
    BLIND = "blind"
    """No media at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the engine decodes text. Temperature 0 is greedy.

    Every engine gets every field, so that nothing is filled in from a checkpoint's
    generation_config.json. The penalties have the formulas of vLLM's ``SamplingParams``.
    """

    temperature: float
    max_tokens: int
    """Generated tokens at most, those of a thought included."""
    top_p: float = 1.0
    """Sample from the most probable tokens that together have this probability."""
    seed: int = 0
    top_k: int = field(default=0, metadata=LATER)
    """Sample from this number of most probable tokens; 0: from all."""
    min_p: float = field(default=0.0, metadata=LATER)
    """Leave out tokens whose probability is below this share of the most probable one's."""
    presence_penalty: float = field(default=0.0, metadata=LATER)
    """Subtracted from the logits of tokens that the answer has already."""
    frequency_penalty: float = field(default=0.0, metadata=LATER)
    """Subtracted from a token's logit once per occurrence in the answer."""
    repetition_penalty: float = field(default=1.0, metadata=LATER)
    """Divides positive and multiplies negative logits of tokens in prompt or answer; 1: none."""
    stop: tuple[str, ...] = field(default=(), metadata=LATER)
    """Texts that end the answer; they are not part of it."""

    def __post_init__(self) -> None:
        between(self, "temperature", 0, 100)
        between(self, "max_tokens", 0, 1 << 24, "tokens; no model writes more")
        between(self, "top_p", 1e-6, 1)
        between(self, "seed", 0, 2**32 - 1, "engines take 32 bits")
        between(self, "top_k", 0, 1 << 24, "tokens; 0 is no limit")
        between(self, "min_p", 0, 1)
        between(self, "presence_penalty", -2, 2)
        between(self, "frequency_penalty", -2, 2)
        between(self, "repetition_penalty", 0.01, 100)
        if not all(self.stop):
            raise ValueError(f"stop: expected texts that are not empty, got {self.stop!r:.80}")

    @property
    def greedy(self) -> bool:
        """Whether only the most probable token can be drawn, so that every seed says the same."""
        return self.temperature == 0 or self.top_k == 1


class FrameRule(StrEnum):
    """Named frame sampling rules; `harness.video.sampling` implements and sources each."""

    VIDEO_R1 = "video-r1"
    """Take `fps` frames per second: an even number within the bounds, first and last included."""
    SEGMENTS = "segments"
    """MVBench: the middle of each of `max_frames` equal segments."""
    LINSPACE = "linspace-truncated"
    """VSI-Bench and VideoMMMU: `max_frames` indices evenly spaced and truncated, first and last
    included. Runs under the name ``linspace`` rounded the indices."""
    PER_SECOND = "linspace-per-second"
    """MMVU: as LINSPACE, with `fps` frames per whole second and at most `max_frames`."""
    MIDDLES = "segment-middles"
    """Video-MME: the middle between the rounded borders of `max_frames` equal segments."""
    INNER = "inner-points"
    """Video-MME-v2: the `max_frames` inner points that cut the clip into equal parts, truncated."""
    STRIDE = "stride"
    """LongVideoBench: every k-th frame from the first on, one per whole second and at most
    `max_frames`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FramePolicy:
    """The rule by which frames are selected from a clip and resized."""

    rule: FrameRule = FrameRule.VIDEO_R1
    fps: float = 2.0
    min_frames: int = 4
    max_frames: int = 16
    min_pixels: int = 128 * 28 * 28
    """Frames with fewer pixels are enlarged."""
    max_pixels: int = 256 * 28 * 28
    """Frames with more pixels are shrunk; the aspect ratio is kept."""
    whole: bool = False
    """Ignore `Media.start_s` and `end_s`; Video-R1 evaluates MVBench on whole videos."""
    order: Variant = Variant.ORDERED
    seed: int = 0
    """Seed of the frame permutation; used by the shuffled order only."""

    def __post_init__(self) -> None:
        between(self, "fps", 0.001, 1000, "frames per second")
        between(self, "min_frames", 1, 4096, "frames are decoded into memory")
        between(self, "max_frames", 1, 4096, "frames are decoded into memory")
        between(self, "min_pixels", 1, 1 << 26, "pixels of one frame, 8192 x 8192 at most")
        between(self, "max_pixels", 1, 1 << 26, "pixels of one frame, 8192 x 8192 at most")
        between(self, "seed", 0, 2**32 - 1, "engines take 32 bits")


class FrameText(NamedTuple):
    """A text that belongs to frames, such as a subtitle, and its place between them."""

    after: int
    """Frames of the request, over all its clips, that are shown before it."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPart:
    """A part of the user turn: frames, and the text behind them."""

    frames: int
    """Frames shown before the text and behind the part before."""
    text: str
