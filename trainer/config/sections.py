"""The sections of a training recipe: what each knob means, its default, and its bounds.

Defaults are the values of the Video-R1 paper; where its published code differs the docstring says
so, and the recipes ``*-code.toml`` hold the code's values (docs/rewards.md, "Paper and code").
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.bounds import at_least_zero, ordered, positive, share
from harness.schema import FramePolicy, FrameRule, Kind, MediaKind
from trainer.config.choices import (
    Dtype,
    GroupAccuracy,
    LrSchedulerType,
    MediaCheck,
    OnBadRow,
    Permutation,
    RolloutEngine,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraSettings:
    """A low-rank adapter in place of full training."""

    r: int = 16
    lora_alpha: int = 32
    lora_dropout: float = 0.0
    target_modules: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")
    """Names of the linear layers of the language model; the vision tower is left alone."""

    def __post_init__(self) -> None:
        positive(self, "r", "lora_alpha")
        share(self, "lora_dropout")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """What is trained."""

    checkpoint: str
    """Folder or hub id, as for ``videor1 eval``."""
    dtype: Dtype = Dtype.BFLOAT16
    attn_implementation: str = "sdpa"
    """Attention implementation of transformers (``flash_attention_2`` where installed)."""
    freeze_vision: bool = False
    lora: LoraSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings:
    """Which rows are trained on."""

    rows: tuple[Path, ...]
    """``.json`` (a list) or ``.jsonl`` files."""
    media_roots: tuple[Path, ...]
    """Folders that a row's path is looked for in, in this order."""
    on_bad_row: OnBadRow = OnBadRow.STOP
    check: MediaCheck = MediaCheck.DECODE
    kinds: tuple[Kind, ...] = tuple(Kind)
    """Problem types to train on."""
    media: tuple[MediaKind, ...] = (MediaKind.VIDEO, MediaKind.IMAGE)
    limit: int | None = None
    """Rows to train on at most, evenly spaced through the files."""
    decode_workers: int = 2
    """Processes that decode, per training process; 0: the training process itself."""
    decode_timeout_s: float = 120.0
    cache_mib: int = 1024
    """Memory for decoded and processed media that may be asked for again."""

    def __post_init__(self) -> None:
        if not self.rows or not self.media_roots:
            raise ValueError("rows and media_roots need at least one entry each")
        if len(set(self.rows)) < len(self.rows):
            raise ValueError("rows names a file twice")
        positive(self, "limit", "decode_timeout_s")
        at_least_zero(self, "decode_workers", "cache_mib")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameSettings:
    """Which frames the model sees and how large they are."""

    fps: float = 2.0
    min_frames: int = 4
    max_frames: int = 16
    min_pixels: int = 128 * 28 * 28
    """Pixels per video frame below which frames are enlarged."""
    max_pixels: int = 128 * 28 * 28
    """Pixels per video frame above which frames are shrunk."""
    image_min_pixels: int = 4 * 28 * 28
    image_max_pixels: int = 512 * 28 * 28

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
    lr_scheduler_type: LrSchedulerType = LrSchedulerType.LINEAR
    warmup_steps: int = 0
    weight_decay: float = 0.01
    max_grad_norm: float = 5.0
    num_train_epochs: float = 1.0
    max_steps: int | None = None
    """Updates; None: as many as `num_train_epochs` have."""
    per_device_train_batch_size: int = 1
    """Rows (SFT) or completions (GRPO, T-GRPO) per process and forward pass."""
    gradient_accumulation_steps: int = 1
    """Forward passes per update."""
    gradient_checkpointing: bool = True
    seed: int = 0
    save_steps: int = 100
    save_total_limit: int | None = None
    """Newest checkpoints that are kept; None: all."""
    logging_steps: int = 1

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


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutSettings:
    """How completions are sampled."""

    num_generations: int = 8
    """G: completions per prompt."""
    max_completion_length: int = 768
    temperature: float = 1.0
    top_p: float = 0.95
    engine: RolloutEngine = RolloutEngine.TRANSFORMERS
    vllm_gpu_memory_utilization: float = 0.3
    """Share of the GPU's memory that vLLM takes where it is the engine."""

    def __post_init__(self) -> None:
        if self.num_generations < 2:
            raise ValueError(f"num_generations: expected at least 2, got {self.num_generations}")
        positive(self, "max_completion_length", "temperature")
        share(self, "top_p", "vllm_gpu_memory_utilization")
        if self.engine is RolloutEngine.VLLM and self.temperature != 1:
            # vLLM's log-probabilities leave the temperature out, the trainer's do not.
            raise ValueError(
                f"temperature: expected 1 with the vllm engine, got {self.temperature}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TGRPORolloutSettings(RolloutSettings):
    """T-GRPO also samples each video with its frames in another order."""

    shuffled_group_size: int = 4
    """G~: shuffled completions per video prompt; half of G in the paper."""
    permutation: Permutation = Permutation.FRAME

    def __post_init__(self) -> None:
        # The zero-argument super() does not survive slots: the class is built anew.
        RolloutSettings.__post_init__(self)
        positive(self, "shuffled_group_size")
        if self.shuffled_group_size > self.num_generations:
            raise ValueError(
                f"shuffled_group_size: expected at most num_generations,"
                f" {self.num_generations}, got {self.shuffled_group_size}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardSettings:
    """What a completion earns: accuracy + format + length bonus, group-normalised."""

    format_weight: float = 1.0
    length_weight: float = 0.2
    """omega: what a correct completion of a length within the window earns on top."""
    length_min: int = 320
    """Completion tokens, end token included."""
    length_max: int = 512
    length_min_correct: int = 1
    """Correct completions a group needs before any earns the length bonus; 2 in the code."""
    tau: float = 0.5
    """A completion counts as correct when its accuracy is above this; 0.1 in the code."""
    beta: float = 0.04
    """Weight of the KL term against the starting checkpoint; 0 needs no reference model."""
    epsilon: float = 0.2
    """Clip range of the policy ratio."""

    def __post_init__(self) -> None:
        at_least_zero(self, "format_weight", "length_weight", "beta", "epsilon")
        positive(self, "length_min", "length_min_correct")
        ordered(self, "length_min", "length_max")
        if not 0 <= self.tau < 1:
            raise ValueError(f"tau: expected at least 0 and below 1, got {self.tau}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalRewardSettings(RewardSettings):
    """T-GRPO: correct answers earn more where the order of the frames helped."""

    temporal_weight: float = 0.3
    """alpha."""
    mu: float = 1.0
    """The bonus is paid where p(ordered) >= mu * p(shuffled); 0.8 in the code."""
    group_accuracy: GroupAccuracy = GroupAccuracy.PROPORTION

    def __post_init__(self) -> None:
        RewardSettings.__post_init__(self)
        at_least_zero(self, "temporal_weight", "mu")
