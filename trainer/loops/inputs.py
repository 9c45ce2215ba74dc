"""From training rows to what a model reads: token ids, and tensors for what the vision tokens show.

Prompt, frames and frame times are the harness's (`harness.scoring.prompts`,
`harness.backends.chat`): a checkpoint is trained on exactly what it is evaluated with. One row is
decoded once and processed once, however many completions are sampled for it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from harness.backends import chat
from harness.schema import Clip, Failure, Prompt, Sample
from harness.scoring import prompts
from trainer.config.choices import Permutation
from trainer.loops.clips import ClipLoader, Decoded
from trainer.loops.frame_shuffle import shuffled_clip

if TYPE_CHECKING:
    import torch

_PER_TOKEN = ("input_ids", "attention_mask", "mm_token_type_ids")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PromptInputs:
    """One question as a model reads it, up to where the answer begins."""

    id: str
    prompt: Prompt
    ids: tuple[int, ...]
    """Token ids, with one vision token per feature."""
    clips: tuple[Clip, ...] = ()
    tensors: Mapping[str, torch.Tensor] = field(default_factory=dict)
    """What the processor made of the clips, by the name the model takes it under. The first axis
    counts patches (``pixel_values*``) or media (all others)."""
    failure: Failure | None = None
    """Why a blank video is shown in place of the row's media. Such a row is in no loss."""

    @property
    def nbytes(self) -> int:
        """Memory of pixels and tensors."""
        tensors = sum(int(tensor.nbytes) for tensor in self.tensors.values())
        return tensors + sum(clip.frames.nbytes for clip in self.clips)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """A row whose media are being decoded, or whose inputs are at hand."""

    sample: Sample
    decoded: Future[Decoded] | None = None
    inputs: PromptInputs | None = None


class InputBuilder:
    """Builds `PromptInputs`, ahead of time where it can, and remembers them within a bound.

    Args:
        processor: Of the checkpoint; tokenizer, image and video processor.
        clips: What decodes.
        cache_mib: Memory for inputs that may be asked for again.
    """

    def __init__(self, processor: Any, clips: ClipLoader, *, cache_mib: int) -> None:
        self.processor_calls = 0
        """Questions and shuffled twins that were processed so far."""
        self.failures: dict[str, Failure] = {}
        """Rows whose media could not be decoded, by id."""
        self._processor = processor
        self._clips = clips
        self._media_options = chat.media_options(processor)
        self._waiting: dict[str, Asked] = {}
        self._cache: OrderedDict[str, PromptInputs] = OrderedDict()
        self._room = cache_mib * 2**20
        video_processor = getattr(processor, "video_processor", None)
        self._frames_per_grid = int(getattr(video_processor, "temporal_patch_size", 1))

    @property
    def decodes(self) -> int:
        """Files that were decoded so far."""
        return self._clips.decodes

    def question(self, sample: Sample) -> Prompt:
        """Return the text a row is asked with, as the benchmarks are."""
        return Prompt(text=prompts.video_r1(sample.question, sample.kind, sample.options))

    def ask(self, samples: Iterable[Sample]) -> list[Asked]:
        """Begin to decode what is neither remembered nor being decoded already."""
        return [self._ask(sample) for sample in samples]

    def build(self, asked: Sequence[Asked]) -> list[PromptInputs]:
        """Wait for the clips and process each distinct row once."""
        built: dict[str, PromptInputs] = {}
        for row in asked:
            name = row.sample.id
            if name not in built:
                built[name] = row.inputs or self._cache.get(name) or self._built(row)
        return [built[row.sample.id] for row in asked]

    def shuffled(self, inputs: PromptInputs, unit: Permutation, seed: int) -> PromptInputs | None:
        """Return the question about its clips in another order, None where there is no other.

        Args:
            inputs: The question in order.
            unit: What changes places.
            seed: Of the permutation, which depends on the clip too and on nothing else: processes
                that share a group agree, and a resumed run repeats it.
        """
        size = self._frames_per_grid
        clips = tuple(shuffled_clip(clip, unit, size, seed) for clip in inputs.clips)
        if all(ours is theirs for ours, theirs in zip(clips, inputs.clips, strict=True)):
            return None
        return self._processed(inputs.id, inputs.prompt, clips)

    def _ask(self, sample: Sample) -> Asked:
        if sample.id in self._cache:
            self._cache.move_to_end(sample.id)
            return Asked(sample=sample, inputs=self._cache[sample.id])
        if sample.id not in self._waiting:
            decoded = self._clips.start(sample.media)
            self._waiting[sample.id] = Asked(sample=sample, decoded=decoded)
        return self._waiting[sample.id]

    def _built(self, row: Asked) -> PromptInputs:
        assert row.decoded is not None
        self._waiting.pop(row.sample.id, None)
        sample, decoded = row.sample, row.decoded.result()
        prompt = self.question(sample)
        if isinstance(decoded, Failure):
            return self._failed(sample.id, prompt, decoded)
        inputs = self._processed(sample.id, prompt, decoded)
        self._remember(inputs)
        return inputs

    def _failed(self, sample_id: str, prompt: Prompt, failure: Failure) -> PromptInputs:
        """Ask about a blank video.

        A process whose rows all failed has to call the vision tower, too: sharded layers (FSDP,
        DeepSpeed) gather their weights from all processes when they are called, so that all have to
        call the same ones.
        """
        self.failures[sample_id] = failure
        blank = self._processed(sample_id, prompt, (self._clips.blank(self._frames_per_grid),))
        return replace(blank, failure=failure)

    def _processed(self, sample_id: str, prompt: Prompt, clips: tuple[Clip, ...]) -> PromptInputs:
        self.processor_calls += 1
        videos = [clip for clip in clips if not chat.is_image(clip)]
        images = chat.images(clips)
        output = self._processor(
            text=[chat.render(self._processor, prompt, clips)],
            images=[images] if images else None,
            videos=[clip.frames for clip in videos] or None,
            images_kwargs=self._media_options["images_kwargs"],
            videos_kwargs={
                **self._media_options["videos_kwargs"],
                # Without their times the frames of a long video collapse onto a few positions.
                "video_metadata": [chat.video_metadata(clip) for clip in videos],
            },
            # The template has written every special token that the model expects.
            text_kwargs={"add_special_tokens": False},
            return_tensors="pt",
        )
        return PromptInputs(
            id=sample_id,
            prompt=prompt,
            clips=clips,
            ids=tuple(output["input_ids"][0].tolist()),
            tensors={name: output[name] for name in output if name not in _PER_TOKEN},
        )

    def _remember(self, inputs: PromptInputs) -> None:
        self._cache[inputs.id] = inputs
        self._room -= inputs.nbytes
        while self._room < 0:
            _, oldest = self._cache.popitem(last=False)
            self._room += oldest.nbytes
