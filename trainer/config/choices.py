"""The named choices of a recipe; a recipe file holds the values."""

from __future__ import annotations

from enum import StrEnum


class OnBadRow(StrEnum):
    """What happens to rows that fail the check before training; none is replaced by another."""

    STOP = "stop"
    EXCLUDE = "exclude"


class MediaCheck(StrEnum):
    """How media files are checked before training."""

    EXISTS = "exists"
    """The file exists. A damaged file is found during training, and its row is dropped then."""
    DECODE = "decode"
    """Every file is decoded once, with the frames of the training."""


class Dtype(StrEnum):
    """Number format of the computation; trained weights are float32 in either case."""

    BFLOAT16 = "bfloat16"
    FLOAT32 = "float32"


class LrSchedulerType(StrEnum):
    """Learning rate over the updates: the values of transformers' `SchedulerType`.

    Two are left out: they follow an evaluation inside the training loop, which does not exist here.
    """

    CONSTANT = "constant"
    """Ignores `warmup_steps`."""
    CONSTANT_WITH_WARMUP = "constant_with_warmup"
    LINEAR = "linear"
    COSINE = "cosine"
    COSINE_WITH_RESTARTS = "cosine_with_restarts"
    COSINE_WITH_MIN_LR = "cosine_with_min_lr"
    COSINE_WARMUP_WITH_MIN_LR = "cosine_warmup_with_min_lr"
    POLYNOMIAL = "polynomial"
    INVERSE_SQRT = "inverse_sqrt"
    WARMUP_STABLE_DECAY = "warmup_stable_decay"


class RolloutEngine(StrEnum):
    """Which engine samples completions."""

    TRANSFORMERS = "transformers"
    """The model that is trained."""
    VLLM = "vllm"
    """vLLM in the training process, with a copy of the weights."""
    VLLM_SERVER = "vllm-server"
    """vLLM servers on other GPUs, each with a copy of the weights."""

    @property
    def is_vllm(self) -> bool:
        """Whether another engine than the trained model samples, and reports log-probabilities."""
        return self is not RolloutEngine.TRANSFORMERS


class Permutation(StrEnum):
    """What is permuted in the shuffled prompts of a video."""

    FRAME = "frame"
    """Single frames, as in the paper. Each merged frame pair then contains non-adjacent frames."""
    GRID = "grid"
    """Whole merged frame pairs: the same vision features in another order."""


class EvidenceTokens(StrEnum):
    """Which tokens of a right completion are explained by the order of the frames, or not."""

    ANSWER = "answer"
    """Those between the answer's tags, summed. They follow from a thought that says the answer, so
    that this is for checkpoints that answer without one."""
    COMPLETION = "completion"
    """All, as a mean per token."""
    COMPLETION_SUM = "completion-sum"
    """All, summed."""


class UngroupedScale(StrEnum):
    """What advantages are divided by, where the deviation of a group would cancel a bonus."""

    NONE = "none"
    """Nothing."""
    BATCH = "batch"
    """The standard deviation of all completions of an update."""


class GroupAccuracy(StrEnum):
    """How the accuracies of a group become the p that T-GRPO compares."""

    PROPORTION = "proportion"
    """Share of completions with accuracy above `tau` (the paper)."""
    MEAN = "mean"
    """Mean accuracy reward (the published code)."""
