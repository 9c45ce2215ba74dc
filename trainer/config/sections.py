"""The sections of a training recipe: the fields, their meaning, defaults and bounds.

A field that has a counterpart in transformers, TRL or peft has its name. Defaults are the values
of the Video-R1 paper (arXiv 2503.21776); the presets ``code`` hold those of its published code
where they differ (docs/rewards.md, "Paper and code"). docs/recipes.md lists every field.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.bounds import at_least_zero, ordered, positive, share
from harness.schema import FramePolicy, FrameRule, Kind, MediaKind
from trainer.config.choices import (
    Dtype,
    LrSchedulerType,
    MediaCheck,
    OnBadRow,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraSettings:
    """A low-rank adapter, trained in place of the model's weights (peft's `LoraConfig`)."""

    r: int = 16
    """Rank."""
    lora_alpha: int = 32
    """The adapter is scaled by lora_alpha / r."""
    lora_dropout: float = 0.0
    target_modules: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")
    """Names of the linear layers of the language model; the vision tower is left alone."""

    def __post_init__(self) -> None:
        positive(self, "r", "lora_alpha")
        share(self, "lora_dropout")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """Which checkpoint is trained, and which of its weights."""

    checkpoint: str
    """Folder or hub id, as for ``videor1 eval``."""
    dtype: Dtype = Dtype.BFLOAT16
    """Number format of the computation; trained weights are float32."""
    attn_implementation: str = "sdpa"
    """Attention implementation of transformers (``flash_attention_2`` where installed)."""
    freeze_vision: bool = False
    """Train the language model only."""
    lora: LoraSettings | None = None
    """Train an adapter; None: train the weights themselves."""
    load_in_4bit: bool = False
    """Hold the frozen linear layers of the language model in 4 bits (QLoRA: bitsandbytes' nf4 with
    double quantisation); needs an adapter."""

    def __post_init__(self) -> None:
        if self.load_in_4bit and self.lora is None:
            raise ValueError(
                "load_in_4bit: expected an adapter beside it, as weights in 4 bits are not trained;"
                " set lora, such as lora.r = 16"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings:
    """Which rows are trained on, and how their media are decoded."""

    rows: tuple[Path, ...]
    """``.json`` (a list of objects), ``.jsonl`` or ``.parquet`` files."""
    media_roots: tuple[Path, ...]
    """Folders in which a row's path is searched, in this order."""
    on_bad_row: OnBadRow = OnBadRow.STOP
    """What happens to a row that fails the check before training."""
    check: MediaCheck = MediaCheck.DECODE
    """How media files are checked before training."""
    kinds: tuple[Kind, ...] = tuple(Kind)
    """Problem types to train on."""
    media: tuple[MediaKind, ...] = (MediaKind.VIDEO, MediaKind.IMAGE)
    """Kinds of media to train on; rows without media always are."""
    limit: int | None = None
    """Maximum number of rows, evenly spaced through the files; None: all."""
    decode_workers: int = 2
    """Processes that decode, per training process; 0: the training process itself."""
    decode_timeout_s: float = 120.0
    """Seconds after which a file counts as unreadable."""
    cache_mib: int = 1024
    """Memory per process for media that are decoded and may be needed again, in MiB."""
    input_cache: Path | None = None
    """Folder in which the inputs of rows are kept, so that a later epoch decodes nothing."""
    input_cache_gib: int = 50
    """Size of that folder at most, in GiB."""

    def __post_init__(self) -> None:
        if not self.rows or not self.media_roots:
            raise ValueError("rows and media_roots need at least one entry each")
        if len(set(self.rows)) < len(self.rows):
            raise ValueError("rows names a file twice")
        positive(self, "limit", "decode_timeout_s", "input_cache_gib")
        at_least_zero(self, "decode_workers", "cache_mib")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameSettings:
    """Which frames the model sees and how large they are."""

    fps: float = 2.0
    """Frames per second that are taken of a video."""
    min_frames: int = 4
    """Frames per video at least."""
    max_frames: int = 16
    """Frames per video at most; of a longer video they are evenly spaced."""
    min_pixels: int = 128 * 28 * 28
    """Pixels per video frame below which frames are enlarged."""
    max_pixels: int = 128 * 28 * 28
    """Pixels per video frame above which frames are reduced."""
    image_min_pixels: int = 4 * 28 * 28
    """The same for an image."""
    image_max_pixels: int = 512 * 28 * 28
    """The same for an image."""

    def __post_init__(self) -> None:
        positive(self, "fps", "min_frames", "min_pixels", "image_min_pixels")
        ordered(self, "min_frames", "max_frames")
        ordered(self, "min_pixels", "max_pixels")
        ordered(self, "image_min_pixels", "image_max_pixels")

    def policy(self, kind: MediaKind) -> FramePolicy:
        """Return the harness's frame policy for one kind of media."""
        image = kind is MediaKind.IMAGE
        return FramePolicy(
            rule=FrameRule.VIDEO_R1,
            fps=self.fps,
            min_frames=self.min_frames,
            max_frames=self.max_frames,
            min_pixels=self.image_min_pixels if image else self.min_pixels,
            max_pixels=self.image_max_pixels if image else self.max_pixels,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimSettings:
    """How weights are updated, logged and saved."""

    learning_rate: float = 1e-6
    """Highest learning rate of AdamW."""
    lr_scheduler_type: LrSchedulerType = LrSchedulerType.LINEAR
    """Learning rate over the updates."""
    warmup_steps: int = 0
    """Updates over which the learning rate rises from 0."""
    weight_decay: float = 0.01
    max_grad_norm: float = 5.0
    """Norm to which gradients are clipped."""
    num_train_epochs: float = 1.0
    """Passes over the rows."""
    max_steps: int | None = None
    """Number of updates; None: as many as `num_train_epochs` have."""
    per_device_train_batch_size: int = 1
    """Rows (SFT) or completions (GRPO, T-GRPO) per process and forward pass."""
    gradient_accumulation_steps: int = 1
    """Forward passes per update."""
    gradient_checkpointing: bool = True
    """Compute activations twice instead of storing them."""
    seed: int = 0
    """Seed of data order, sampling and frame permutations."""
    save_steps: int = 100
    """Updates between two checkpoints."""
    save_total_limit: int | None = None
    """Number of newest checkpoints that are kept; None: all."""
    logging_steps: int = 1
    """Updates between two lines of ``metrics.jsonl``."""

    def __post_init__(self) -> None:
        positive(
            self, "learning_rate", "max_grad_norm", "num_train_epochs", "max_steps",
            "per_device_train_batch_size", "gradient_accumulation_steps", "save_steps",
            "save_total_limit", "logging_steps",
        )  # fmt: skip
        at_least_zero(self, "warmup_steps", "weight_decay", "seed")
        if self.warmup_steps and self.lr_scheduler_type is LrSchedulerType.CONSTANT:
            raise ValueError(
                f"warmup_steps: expected 0 with the scheduler {self.lr_scheduler_type}, got"
                f" {self.warmup_steps}; use {LrSchedulerType.CONSTANT_WITH_WARMUP}"
            )
