"""Defines the data classes of an evaluation: sample, request, completion, score, record.

A `Sample` is one question. The runner turns it into a `Request` (prompt, decoded clips, sampling);
a backend answers with a `Completion` or a `Failure`; a scorer turns the text into a `Score`; all of
it becomes one `Record`, which is one JSON line on disk. All classes are frozen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from harness.schema.asking import AskedPart, FrameText, Sampling, TemplateArgs
from harness.thoughts import Marks, PromptEnd, ThoughtEnd

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


ItemKey = tuple[str, int]
"""Id of an item and number of the repeat."""
AnswerKey = tuple[str, str, int]
"""Name of the run that asks, id of the item and number of the repeat: what one answer is of."""


class Kind(StrEnum):
    """The type of answer that a question asks for; values are Video-R1's ``problem_type`` names."""

    MULTIPLE_CHOICE = "multiple choice"
    NUMERICAL = "numerical"
    REGRESSION = "regression"
    OCR = "OCR"
    FREE_FORM = "free-form"
    SPAN = "temporal grounding"
    """Start and end in seconds; OneThinker's name."""


class Outcome(StrEnum):
    """The result of one item. FAILED alone says nothing about the model."""

    CORRECT = "correct"
    WRONG = "wrong"
    PARTIAL = "partial"
    """A score strictly between 0 and 1, for example a mean relative accuracy."""
    NO_ANSWER = "no_answer"
    """The scorer's rules found no answer in the text."""
    TRUNCATED = "truncated"
    """No answer was found and the text was cut at the token limit."""
    REFUSED = "refused"
    """The model declined, or a content filter stopped it; worth 0."""
    FAILED = "failed"
    """No text: the media could not be decoded or the engine failed."""


class MediaKind(StrEnum):
    """The way in which frames are stored."""

    VIDEO = "video"
    FRAMES = "frames"
    """A folder of numbered images."""
    IMAGE = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """One video, frame folder or image on disk, inside the data root."""

    path: Path
    kind: MediaKind = MediaKind.VIDEO
    start_s: float | None = None
    """Start of the clip in seconds; None: the start of the file."""
    end_s: float | None = None
    """End of the clip in seconds; None: the end of the file."""
    fps: float | None = None
    """Frames per second of a frame folder; a video file carries its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One benchmark question with its gold answer."""

    id: str
    task: str
    question: str
    answer: str
    kind: Kind
    category: str
    """Path of categories from coarse to fine, joined by ``/`` (``adaptation/Art/Art_Theory``)."""
    cluster: str
    """Id of the video; questions about one video are not independent."""
    options: tuple[str, ...] = ()
    """Option texts without letters; the letter is the position (A, B, ...)."""
    media: tuple[Media, ...] = ()
    source: Mapping[str, str] = field(default_factory=dict)
    """Further fields of the publisher that official prompts or scoring rules need."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clip:
    """Decoded and resized frames of one `Media`, with their places in the source."""

    key: str
    """Hash of file content, span, frame policy, size and order: equal keys mean equal frames."""
    kind: MediaKind
    frames: NDArray[np.uint8]
    """RGB, shape (T, H, W, 3)."""
    indices: tuple[int, ...]
    """Index of each frame in the source, in the order in which the model sees them."""
    timestamps: tuple[float, ...]
    """Time of each frame in seconds from the start of the clip, non-decreasing."""
    fps: float
    """Frame rate of the source."""
    total_frames: int
    """Number of frames of the source; `indices` are below it."""
    duration_s: float
    decode_s: float = 0.0
    """Seconds spent on decoding and resizing, or on reading the frame cache."""
    cached: bool = False
    """True if the frames came from the frame cache."""
    notes: tuple[str, ...] = ()
    """What is unusual about the file, though its frames are right."""

    @property
    def spacing_s(self) -> float:
        """Mean seconds between the frames shown; the duration of the clip if only one is shown."""
        times, steps = sorted(self.timestamps), len(self.timestamps) - 1
        length = times[-1] - times[0]
        return round(length / steps if length > 0 else self.duration_s / len(times), 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """The text of one question; in the user turn the media come before `text`."""

    text: str
    system: str | None = None
    prefill: str = ""
    """Start of the assistant turn; not part of the returned text."""
    before: tuple[str, ...] = ()
    """Text before each medium where text and media alternate; `text` follows the last one."""
    between: tuple[FrameText, ...] | None = None
    """Texts between the frames, in order of their places; every frame is then shown as an image of
    its own. None: clips are shown whole."""
    template_args: TemplateArgs = field(default_factory=dict)
    """Values of the chat template's own variables."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Request:
    """One question, ready for an engine."""

    id: str
    prompt: Prompt
    sampling: Sampling
    clips: tuple[Clip, ...] = ()
    whole: tuple[Clip, ...] = ()
    """The clips whose frames `clips` are, where these are single frames with text between them."""
    repeat: int = 0
    """Which of the repeats of a question; `run`, `id` and `repeat` together are unique."""
    run: str = ""
    """Which of several runs that share the engine asks; empty where there is only one."""
    thinking_budget: int | None = None
    """Tokens after which the engine closes a thought; None: it does not."""
    reasoning: str = "in-text"
    """The protocol's rule for thoughts. For any but ``in-text`` the engine keeps special tokens in
    the text and tells `Completion.marks`, `prompt_end` and `token_ends` where it can."""

    @property
    def key(self) -> AnswerKey:
        """What tells the request from the others that the engine gets."""
        return self.run, self.id, self.repeat

    @property
    def decoded(self) -> tuple[Clip, ...]:
        """The clips as they were decoded, one per medium of the question."""
        return self.whole or self.clips


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """The text that an engine generated for one request."""

    text: str
    """The answer; where `refused`, what the server sent instead, possibly nothing."""
    finish_reason: str
    """``stop`` or ``length``; ``refusal`` or ``content_filter`` where `refused`."""
    reasoning: str | None = None
    """The thought, where the engine returns it beside the text."""
    refused: bool = False
    """The model declined to answer; the text is not scored."""
    prompt_tokens: int = 0
    output_tokens: int = 0
    generate_s: float = 0.0
    token_ids: tuple[int, ...] = ()
    """Generated token ids where the engine returns them; not stored in records."""
    token_ends: tuple[int, ...] = ()
    """Per generated token, the number of characters of `text` up to its end."""
    marks: Marks | None = None
    """The marks of thoughts that the checkpoint's chat template has."""
    prompt_end: PromptEnd | None = None
    """State in which the prompt left the reply; None: not known."""
    reasoning_tokens: int | None = None
    """Tokens of the thought; None: not known."""
    thought_end: ThoughtEnd | None = None
    """How the thought ended; None: there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The reason why an item has no text; it is counted and shown, never scored."""

    stage: str
    """``media``, ``prompt``, ``generate`` or ``score``."""
    error: str
    """Name of the exception class."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The result of scoring one text."""

    value: float | None
    """0 to 1; None if the scorer's rules leave the item out of the mean."""
    outcome: Outcome
    answer: str | None = None
    """The extracted answer; None if none was found."""
    rule: str | None = None
    """Name of the rule that found the answer, where the scorer has several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One finished item, or one of its repeats: one JSON line of a run."""

    id: str
    repeat: int = 0
    """Which of the repeats; records of schema 1 have none and are read as 0."""
    task: str
    variant: str
    cluster: str
    category: str
    outcome: Outcome
    value: float | None
    answer: str | None
    gold: str
    scorer: str
    """``name@version``."""
    text: str | None = None
    reasoning: str | None = None
    """The thought, which is no part of `text`; runs before 0.3 have none."""
    reasoning_tokens: int | None = None
    """Generated tokens of the thought, its marks included; None: not known."""
    thought_end: ThoughtEnd | None = None
    """How the thought ended; None: there was none, or it is part of `text`."""
    rule: str | None = None
    """Name of the scorer's rule that found the answer, where the scorer has several."""
    finish_reason: str | None = None
    prompt_tokens: int = 0
    output_tokens: int = 0
    frame_indices: tuple[tuple[int, ...], ...] = ()
    """Per clip, in the order shown."""
    timestamps: tuple[tuple[float, ...], ...] = ()
    frame_size: tuple[tuple[int, int], ...] = ()
    """(width, height) per clip."""
    frame_spacing: tuple[float, ...] = ()
    """Mean seconds between the frames shown, per clip: all that Qwen2.5-VL is told of the times."""
    media_notes: tuple[str, ...] = ()
    """What is unusual about the media, though the frames are right."""
    asked: tuple[AskedPart, ...] = ()
    """The user turn where its text depends on the frames, as with subtitles; else the question's
    line in ``samples.jsonl`` has it."""
    decode_s: float = 0.0
    generate_s: float = 0.0
    failure: Failure | None = None

    @property
    def key(self) -> ItemKey:
        """What tells the record from the others of a run."""
        return self.id, self.repeat
