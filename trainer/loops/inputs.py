"""Build model inputs from training rows: token ids, and pixel tensors for the vision tokens.

Prompt, frames and frame times are the harness's (`harness.scoring.prompts`,
`harness.backends.chat`), so that a checkpoint is trained with the same inputs as it is evaluated
with. One row is decoded once and processed once, however many completions are sampled for it.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from harness.backends import chat
from harness.errors import DatasetError
from harness.schema import Clip, Failure, Prompt, Sample
from trainer.config.choices import Permutation
from trainer.data.placeholders import row_prompt
from trainer.loops.clips import ClipLoader, PendingClips
from trainer.loops.frame_shuffle import shuffled_clip
from trainer.loops.input_cache import InputCache, Parts
from trainer.loops.phase_clock import DATA, PhaseClock
from trainer.loops.twin_pixels import TwinPixels
from trainer.runs.failures import first_line

if TYPE_CHECKING:
    import torch

_log = logging.getLogger(__name__)

_REFUSALS = (LookupError, RuntimeError, StopIteration, TypeError, ValueError, TemplateError)
"""What chat templates and processors raise on a prompt that they do not take."""
_PER_TOKEN = ("input_ids", "attention_mask", "mm_token_type_ids")
"""Outputs of the processor with one value per token; the others describe media."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PromptInputs:
    """The model inputs of one prompt, without a completion."""

    id: str
    prompt: Prompt
    ids: tuple[int, ...]
    """Token ids, with one vision token per vision feature."""
    clips: tuple[Clip, ...] = ()
    tensors: Mapping[str, torch.Tensor] = field(default_factory=dict)
    """Outputs of the processor for the clips, by the model's argument name. The first axis counts
    patches (``pixel_values*``) or media (all others)."""
    failure: Failure | None = None
    """Why the media could not be decoded; the inputs then show a black video. Such a row is
    excluded from the loss."""

    @property
    def nbytes(self) -> int:
        """Bytes of frames and tensors."""
        tensors = sum(int(tensor.nbytes) for tensor in self.tensors.values())
        return tensors + sum(clip.frames.nbytes for clip in self.clips)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PendingInput:
    """A row whose media are being decoded, or whose inputs are in the cache."""

    sample: Sample
    clips: PendingClips | None = None
    inputs: PromptInputs | None = None
    key: str | None = None
    """Of the inputs on disk; None: they are not kept there."""
    stored: Future[Parts | None] | None = None
    """Inputs that are being read from the disk."""


class InputBuilder:
    """Builds `PromptInputs`, decodes ahead, and keeps recent inputs in a cache.

    Args:
        processor: The checkpoint's processor: tokenizer, image and video processor.
        clips: Decodes media.
        cache_mib: Size of the cache in MiB.
        disk: Keeps inputs on disk; None: they are not kept there.
    """

    def __init__(
        self,
        processor: Any,
        clips: ClipLoader,
        *,
        cache_mib: int,
        disk: InputCache | None = None,
    ) -> None:
        self.processor_calls = 0
        """Prompts, ordered and shuffled, that were processed so far."""
        self.failures: dict[str, Failure] = {}
        """Rows whose media could not be decoded, by id."""
        self.clock = PhaseClock()
        """Measures how long `build` takes; the trainer's own while one trains."""
        self._processor = processor
        self._clips = clips
        self._media_options = chat.media_options(processor)
        self._waiting: dict[str, PendingInput] = {}
        self._cache: OrderedDict[str, PromptInputs] = OrderedDict()
        self._free_bytes = cache_mib * 2**20
        video_processor = getattr(processor, "video_processor", None)
        self._merged_frames = int(getattr(video_processor, "temporal_patch_size", 1))
        self._disk = disk
        self._twins = TwinPixels(self._merged_frames) if disk is not None else None

    @property
    def decodes(self) -> int:
        """Files that were decoded so far."""
        return self._clips.decodes

    def close(self) -> None:
        """End what reads inputs from the disk."""
        if self._disk is not None:
            self._disk.close()

    def question(self, sample: Sample) -> Prompt:
        """Return the prompt of a row; it has the template of the ``video-r1`` protocol."""
        return row_prompt(sample)

    def start(self, samples: Iterable[Sample]) -> list[PendingInput]:
        """Start decoding the media that are neither in the cache nor being decoded."""
        return [self._start(sample) for sample in samples]

    def build(self, pending: Sequence[PendingInput]) -> list[PromptInputs]:
        """Wait for the clips and process each distinct row once; one result per pending row."""
        built: dict[str, PromptInputs] = {}
        with self.clock.phase(DATA):
            for row in pending:
                name = row.sample.id
                if name not in built:
                    built[name] = row.inputs or self._cache.get(name) or self._build(row)
        return [built[row.sample.id] for row in pending]

    def build_row(self, sample: Sample, clips: tuple[Clip, ...]) -> PromptInputs:
        """Return the inputs of a row whose media are decoded.

        Raises:
            DatasetError: The checkpoint's processor does not take them; names the row.
        """
        return self._process(sample.id, self.question(sample), clips)

    def shuffled(self, inputs: PromptInputs, unit: Permutation, seed: int) -> PromptInputs | None:
        """Return the same prompt with shuffled frames, None where there is no other order.

        Args:
            inputs: The prompt with its frames in order.
            unit: What is permuted: single frames or merged frame groups.
            seed: Seed of the permutation, which depends on seed and clip alone: processes that
                share a group get the same one, and so does a resumed run.
        """
        size = self._merged_frames
        clips = tuple(shuffled_clip(clip, unit, size, seed) for clip in inputs.clips)
        if all(ours is theirs for ours, theirs in zip(clips, inputs.clips, strict=True)):
            return None
        if self._twins is None or len(clips) != 1:
            return self._process(inputs.id, inputs.prompt, clips)
        made = self._twins.make(inputs.tensors, inputs.clips[0], clips[0])
        if made is not None:
            return replace(inputs, clips=clips, tensors=made)
        twin = self._process(inputs.id, inputs.prompt, clips)
        if twin.ids == inputs.ids:
            self._twins.learn(inputs.tensors, inputs.clips[0], clips[0], twin.tensors)
        return twin

    def _start(self, sample: Sample) -> PendingInput:
        if sample.id in self._cache:
            self._cache.move_to_end(sample.id)
            return PendingInput(sample=sample, inputs=self._cache[sample.id])
        if sample.id not in self._waiting:
            self._waiting[sample.id] = self._fetch(sample)
        return self._waiting[sample.id]

    def _fetch(self, sample: Sample) -> PendingInput:
        """Begin to read the inputs of a row from the disk, or to decode its media."""
        disk = self._disk
        key = None if disk is None else disk.key_of(self.question(sample), sample.media)
        if disk is not None and key is not None and disk.has(key):
            return PendingInput(sample=sample, key=key, stored=disk.start(key))
        return PendingInput(sample=sample, key=key, clips=self._clips.start(sample.media))

    def _build(self, row: PendingInput) -> PromptInputs:
        self._waiting.pop(row.sample.id, None)
        sample = row.sample
        if row.stored is not None and (parts := row.stored.result()) is not None:
            ids, tensors, kept = parts
            prompt = self.question(sample)
            inputs = PromptInputs(id=sample.id, prompt=prompt, ids=ids, clips=kept, tensors=tensors)
            self._remember(inputs)
            return inputs
        decoded = (row.clips or self._clips.start(sample.media)).result()
        if isinstance(decoded, Failure):
            return self._build_blank(sample.id, self.question(sample), decoded)
        inputs = self.build_row(sample, decoded)
        self._remember(inputs)
        if self._disk is not None and row.key is not None:
            self._disk.store(row.key, inputs.ids, inputs.tensors, inputs.clips)
        return inputs

    def _build_blank(self, sample_id: str, prompt: Prompt, failure: Failure) -> PromptInputs:
        """Build the inputs of the prompt with a black video.

        A process whose rows all failed has to call the vision tower, too: sharded layers (FSDP,
        DeepSpeed) gather their weights from all processes when they are called, so that all
        processes have to call the same layers.
        """
        self.failures[sample_id] = failure
        blank = self._process(sample_id, prompt, (self._clips.blank(self._merged_frames),))
        return replace(blank, failure=failure)

    def _process(self, sample_id: str, prompt: Prompt, clips: tuple[Clip, ...]) -> PromptInputs:
        self.processor_calls += 1
        try:
            output = self._call_processor(prompt, clips)
        except _REFUSALS as error:
            reason = f"{type(error).__name__}: {first_line(error)}"
            raise DatasetError(
                f"row {sample_id}: the checkpoint's processor does not take its prompt and media"
                f" ({reason}); correct the row, or leave it out"
            ) from error
        return PromptInputs(
            id=sample_id,
            prompt=prompt,
            clips=clips,
            ids=tuple(output["input_ids"][0].tolist()),
            tensors={name: output[name] for name in output if name not in _PER_TOKEN},
        )

    def _call_processor(self, prompt: Prompt, clips: tuple[Clip, ...]) -> Any:
        videos = [clip for clip in clips if not chat.is_image(clip)]
        images = chat.images(clips)
        return self._processor(
            text=[chat.render(self._processor, prompt, clips)],
            images=[images] if images else None,
            videos=[clip.frames for clip in videos] or None,
            images_kwargs=self._media_options["images_kwargs"],
            videos_kwargs={
                **self._media_options["videos_kwargs"],
                # Without frame times the frames of a long video get too few time positions.
                "video_metadata": [chat.video_metadata(clip) for clip in videos],
            },
            # The chat template already adds every special token that the model expects.
            text_kwargs={"add_special_tokens": False},
            return_tensors="pt",
        )

    def _remember(self, inputs: PromptInputs) -> None:
        self._cache[inputs.id] = inputs
        self._free_bytes -= inputs.nbytes
        while self._free_bytes < 0:
            _, oldest = self._cache.popitem(last=False)
            self._free_bytes += oldest.nbytes


def warn_of_failures(rows: Iterable[PromptInputs]) -> None:
    """Log the rows whose media could not be decoded, each once."""
    for name, failure in {row.id: row.failure for row in rows}.items():
        if failure is not None:
            _log.warning("row %s is left out of this step: %s", name, failure.message)
