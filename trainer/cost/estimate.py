"""Estimates what a recipe costs: tokens per update and memory per process.

Bytes follow from what the trainers do: trained weights, gradients and Adam's two moments in
float32, the weights of the reference model, activations in the recipe's dtype. Measured peaks are
higher by the allocator's fragmentation and the workspaces of kernels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.schema import MediaKind
from harness.scoring.prompts import video_r1
from trainer.config.choices import Dtype
from trainer.config.recipe import Recipe
from trainer.config.sections import FrameSettings
from trainer.cost.model_shape import ModelShape
from trainer.data.rows import (
    TrainingRow,
    strip_think_tags,
)

_CHARACTERS_PER_TOKEN = 4
"""For English text and a vocabulary of 150,000; the tokens of the chat template are few."""

_TILE = (4096, 32768)
"""Tokens and words whose logits TRL 1.16 holds at once (`trl.kernels.chunked_logprob`)."""


_BYTES_IN_4_BIT = 1 / 2 + 1 / 64 + 4 / (64 * 256)
"""Of nf4 with double quantisation: half a byte, a byte per block of 64 weights, and a float32 per
256 blocks (QLoRA, arXiv 2305.14314, section 3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Cost of one update."""

    trained: int
    """Number of weights that are updated."""
    rows_per_step: int
    """Prompts per update, over all processes."""
    prompt_tokens: int
    """Tokens of the longest prompt, text and vision."""
    completion_tokens: int
    """Tokens of the longest answer."""
    sequences: int
    """Sequences that get a gradient per update, over all processes."""
    shuffled: int
    """Sequences that are sampled per update without a gradient."""
    memory: dict[str, int]
    """Bytes per process by what they hold, nothing sharded."""

    @property
    def tokens_per_step(self) -> int:
        """Upper bound of the tokens that an update trains on or samples."""
        longest = self.prompt_tokens + self.completion_tokens
        return (self.sequences + self.shuffled) * longest

    @property
    def states(self) -> int:
        """Bytes of weights, gradients and optimizer: what FSDP and ZeRO-3 divide by processes."""
        return sum(size for name, size in self.memory.items() if name in _STATES)


_STATES = ("weights", "gradients", "optimizer", "reference model")


def estimate(
    recipe: Recipe, rows: Sequence[TrainingRow], shape: ModelShape, *, world_size: int
) -> Estimate:
    """Estimate the cost of one update of a recipe on its rows."""
    sequences = recipe.sequences_per_update(world_size)
    prompts = sequences // recipe.group_size
    prompt = max(_prompt_tokens(row, recipe.frames, shape) for row in rows)
    completion = recipe.max_completion_length or max(map(_target_tokens, rows))
    return Estimate(
        trained=_trained_weights(recipe, shape),
        rows_per_step=prompts,
        prompt_tokens=prompt,
        completion_tokens=completion,
        sequences=sequences,
        shuffled=prompts * recipe.shuffled_group_size,
        memory=_memory_bytes(recipe, shape, prompt, completion),
    )


def vision_tokens(kind: MediaKind, frames: FrameSettings, shape: ModelShape) -> int:
    """Return the maximum of vision tokens that one video or image takes."""
    policy = frames.policy(kind)
    per_frame = policy.max_pixels // shape.patch_multiple**2
    if kind is MediaKind.IMAGE:
        return per_frame
    return -(-policy.max_frames // shape.frames_per_token) * per_frame


def _prompt_tokens(row: TrainingRow, frames: FrameSettings, shape: ModelShape) -> int:
    sample = row.sample
    text = _text_tokens(video_r1(sample.question, sample.kind, sample.options))
    return text + sum(vision_tokens(media.kind, frames, shape) for media in sample.media)


def _target_tokens(row: TrainingRow) -> int:
    return _text_tokens(strip_think_tags(row.rationale or "") + row.solution)


def _text_tokens(text: str) -> int:
    return -(-len(text) // _CHARACTERS_PER_TOKEN)


def _trained_weights(recipe: Recipe, shape: ModelShape) -> int:
    if recipe.model.lora is not None:
        return shape.lora_parameters(recipe.model.lora)
    return shape.parameters - shape.vision_parameters * recipe.model.freeze_vision


def _memory_bytes(
    recipe: Recipe, shape: ModelShape, prompt: int, completion: int
) -> dict[str, int]:
    """Return bytes by what they hold, for the longest sequences of one forward pass."""
    number = _number_bytes(recipe)
    trained = _trained_weights(recipe, shape)
    rows = recipe.optim.per_device_train_batch_size
    tokens = rows * (prompt + completion)
    layer = tokens * (8 * shape.hidden + 3 * shape.intermediate) * number
    kept = tokens * shape.hidden * number  # the output of a layer
    checkpointed = recipe.optim.gradient_checkpointing
    memory = {
        "weights": 4 * trained + _frozen_bytes(recipe, shape, trained),
        "gradients": 4 * trained,
        "optimizer": 8 * trained,
        "activations": shape.layers * kept + layer if checkpointed else shape.layers * layer,
        "logits": _logit_bytes(
            recipe, shape, recipe.optim.per_device_train_batch_size * completion
        ),
    }
    if recipe.needs_reference_model:
        memory["reference model"] = 4 * shape.parameters
    if recipe.samples_completions:
        sampled = recipe.sequences_per_update(1)
        sampled += sampled * recipe.shuffled_group_size // recipe.group_size
        memory["rollout cache"] = (
            sampled * (prompt + completion) * shape.layers * shape.key_value * number
        )
    return memory


def _frozen_bytes(recipe: Recipe, shape: ModelShape, trained: int) -> int:
    """Return the bytes of the weights that are not trained."""
    frozen = _loaded_weights(recipe, shape) - trained
    if recipe.model.lora is None:
        return 4 * frozen
    if not recipe.model.load_in_4bit:
        return _number_bytes(recipe) * frozen
    quantized = shape.quantizable_parameters
    return _number_bytes(recipe) * (frozen - quantized) + int(_BYTES_IN_4_BIT * quantized)


def _logit_bytes(recipe: Recipe, shape: ModelShape, tokens: int) -> int:
    """Return the bytes of one tile, and of the head's gradient before it joins the others."""
    tile = min(tokens, _TILE[0]) * min(shape.vocabulary, _TILE[1]) * _number_bytes(recipe)
    return tile + 4 * shape.hidden * shape.vocabulary * (recipe.model.lora is None)


def _number_bytes(recipe: Recipe) -> int:
    return 2 if recipe.model.dtype is Dtype.BFLOAT16 else 4


def _loaded_weights(recipe: Recipe, shape: ModelShape) -> int:
    """Return the weights in memory: the adapter's come on top of the model's."""
    adapter = 0 if recipe.model.lora is None else _trained_weights(recipe, shape)
    return shape.parameters + adapter
