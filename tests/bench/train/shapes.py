"""What `bench_train` trains: model, prompts and answers of one size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from harness.schema import Kind, Media, Sample
from harness.scoring import prompts
from tasks.motionworld.tokenizer import train_tokenizer
from tests.clips import write_clip
from tests.engines import tiny
from trainer.config.choices import Dtype
from trainer.config.recipe import GRPORecipe, TGRPORecipe
from trainer.config.rl_sections import (
    RewardSettings,
    RolloutSettings,
    TemporalRewardSettings,
    TGRPORolloutSettings,
)
from trainer.config.sections import (
    DataSettings,
    FrameSettings,
    LoraSettings,
    ModelSettings,
    OptimSettings,
)
from trainer.data.rows import TrainingRow

OPTIONS = ("left", "right", "up", "down")
GROUP = 8
SHUFFLED = 4
BETA = 0.04


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One size of model, prompt and answers."""

    name: str
    hidden: int
    layers: int
    heads: int
    key_value_heads: int
    intermediate: int
    vision_hidden: int
    vision_layers: int
    frames: int
    """Frames of a clip; TRL's rows have an image per pair."""
    side: int
    """Pixels of a frame's side, a multiple of 28."""
    words: int
    """Words of the question."""
    answer: int
    """Tokens of every answer."""
    prompts: int = 1
    vocabulary: int = 384
    lora: bool = False
    """Train an adapter: the weights' optimizer states do not fit beside them."""
    freeze_vision: bool = False

    @property
    def frame_settings(self) -> FrameSettings:
        """All frames of the clips, in the size that they have."""
        pixels = self.side**2
        return FrameSettings(
            fps=10.0,
            min_frames=self.frames,
            max_frames=self.frames,
            min_pixels=pixels,
            max_pixels=pixels,
            image_min_pixels=pixels,
            image_max_pixels=pixels,
        )

    def question(self, number: int) -> str:
        """Return a question of about `words` tokens."""
        return f"Which way {number}? " + " ball" * self.words

    def rows(self, folder: Path) -> list[TrainingRow]:
        """Draw the clips that are not there yet, and return a row for each of eight prompts."""
        folder.mkdir(parents=True, exist_ok=True)
        return [
            TrainingRow(
                sample=self._sample(folder, at), solution="<answer>A</answer>", rationale=""
            )
            for at in range(8)
        ]

    def _sample(self, folder: Path, number: int) -> Sample:
        path = folder / f"{self.frames}-{number}.mp4"
        if not path.exists():
            write_clip(path, self.frames)
        return Sample(
            id=f"row-{number}",
            task="train",
            question=self.question(number),
            answer="A",
            kind=Kind.MULTIPLE_CHOICE,
            category="multiple choice",
            cluster=path.name,
            options=OPTIONS,
            media=(Media(path=path),),
        )

    def recipe(self, algorithm: str, checkpoint: Path, folder: Path, updates: int) -> GRPORecipe:
        """Return the recipe of an arm; every answer has `answer` tokens."""
        cuda = torch.cuda.is_available()
        common: dict[str, Any] = {
            "model": ModelSettings(
                checkpoint=str(checkpoint),
                dtype=Dtype.BFLOAT16 if cuda else Dtype.FLOAT32,
                lora=LoraSettings() if self.lora else None,
                freeze_vision=self.freeze_vision,
            ),
            "data": DataSettings(rows=(folder,), media_roots=(folder,), decode_workers=0),
            "frames": self.frame_settings,
            "optim": OptimSettings(
                max_steps=updates,
                per_device_train_batch_size=GROUP * self.prompts,
                gradient_checkpointing=cuda,
                save_steps=updates + 1,
            ),
        }
        rollout = {"num_generations": GROUP, "max_completion_length": self.answer, "top_p": 1.0}
        if algorithm == "grpo":
            return GRPORecipe(
                **common, rollout=RolloutSettings(**rollout), reward=RewardSettings(beta=BETA)
            )
        return TGRPORecipe(
            **common,
            rollout=TGRPORolloutSettings(**rollout, shuffled_group_size=SHUFFLED),
            reward=TemporalRewardSettings(beta=BETA),
        )


SHORT = Shape(
    name="short", hidden=256, layers=4, heads=4, key_value_heads=2, intermediate=768,
    vision_hidden=128, vision_layers=4, frames=16, side=168, words=0, answer=96, prompts=2,
)  # fmt: skip
FROZEN = replace(SHORT, name="frozen", freeze_vision=True)
PAPER = Shape(
    name="paper", hidden=768, layers=4, heads=12, key_value_heads=2, intermediate=2048,
    vision_hidden=192, vision_layers=4, frames=16, side=308, words=0, answer=400, prompts=2,
)  # fmt: skip
"""Prompts and answers of Video-R1's length. Attention to 1,400 tokens is 26 % of the work of a
layer of this width, and 4 % in 7B: the narrower a model, the less its weights count."""
LONG = Shape(
    name="long", hidden=384, layers=8, heads=6, key_value_heads=2, intermediate=1024,
    vision_hidden=192, vision_layers=4, frames=64, side=308, words=0, answer=400,
)  # fmt: skip
TOY = Shape(
    name="toy", hidden=64, layers=2, heads=2, key_value_heads=1, intermediate=128, vision_hidden=64,
    vision_layers=2, frames=4, side=56, words=5, answer=6,
)  # fmt: skip
_PUBLISHED = {
    "frames": 16, "side": 308, "words": 0, "answer": 400, "vocabulary": 151_936,
    "vision_hidden": 1280, "vision_layers": 32,
}  # fmt: skip
CPU_SHAPES = (SHORT, FROZEN, PAPER, LONG)
GPU_SHAPES = (
    Shape(
        name="0.5B",
        hidden=896,
        layers=24,
        heads=14,
        key_value_heads=2,
        intermediate=4864,
        **_PUBLISHED,
    ),
    Shape(
        name="3B",
        hidden=2048,
        layers=36,
        heads=16,
        key_value_heads=2,
        intermediate=11008,
        lora=True,
        **_PUBLISHED,
    ),
    Shape(
        name="7B",
        hidden=3584,
        layers=28,
        heads=28,
        key_value_heads=4,
        intermediate=18944,
        lora=True,
        **_PUBLISHED,
    ),
)
"""Qwen2.5-VL's sizes; 0.5B has Qwen2.5-0.5B's language model, and 3B and 7B train an adapter."""


def build_checkpoint(shape: Shape, folder: Path) -> Path:
    """Write a Qwen2.5-VL of random weights; a folder that is there is used again."""
    import transformers

    if (folder / "config.json").exists():
        return folder
    tiny.qwen2_5_vl(folder)  # processor, template, and the ids of the vision tokens
    text_of_rows = prompts.video_r1(shape.question(0), Kind.MULTIPLE_CHOICE, OPTIONS)
    tokenizer = train_tokenizer([*tiny.CORPUS, *[text_of_rows] * 4], vocabulary=1024)
    tokenizer.save_pretrained(folder)
    config = transformers.Qwen2_5_VLConfig.from_pretrained(folder)
    text, vision = config.text_config, config.vision_config
    text.hidden_size, text.num_hidden_layers = shape.hidden, shape.layers
    text.intermediate_size, text.vocab_size = (
        shape.intermediate,
        max(shape.vocabulary, len(tokenizer)),
    )
    text.num_attention_heads = shape.heads
    text.num_key_value_heads = shape.key_value_heads
    text.layer_types = ["full_attention"] * shape.layers
    text.max_window_layers = shape.layers
    text.max_position_embeddings = 32_768
    dimension = shape.hidden // shape.heads
    text.rope_parameters["mrope_section"] = list(_split(dimension // 2))
    vision.hidden_size, vision.depth = shape.vision_hidden, shape.vision_layers
    vision.intermediate_size, vision.out_hidden_size = 3 * shape.vision_hidden, shape.hidden
    vision.num_heads = shape.vision_hidden // 32 if shape.vision_hidden < 1280 else 16
    vision.fullatt_block_indexes = list(range(shape.vision_layers))[7::8] or [1]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    with torch.device(device):
        model = transformers.Qwen2_5_VLForConditionalGeneration._from_config(
            config, dtype=torch.bfloat16 if device == "cuda" else torch.float32
        )
    model.save_pretrained(folder)
    return folder


def _split(half: int) -> Iterator[int]:
    """Divide half of a head's dimension as Qwen2.5-VL does: 2 of 8 for time, 3 and 3."""
    yield half - 2 * (3 * half // 8)
    yield 3 * half // 8
    yield 3 * half // 8
