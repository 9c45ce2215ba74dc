"""The sections of a recipe of reinforcement learning: rollouts and rewards.

As in `trainer.config.sections`, a field that has a counterpart in TRL has its name, and defaults
are the values of the Video-R1 paper. docs/recipes.md lists every field.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from harness.bounds import at_least_zero, ordered, positive, share
from harness.schema import Kind
from trainer.config.choices import (
    GroupAccuracy,
    Permutation,
    RolloutEngine,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutSettings:
    """How completions are sampled."""

    num_generations: int = 8
    """G: completions per prompt."""
    max_completion_length: int = 768
    """Tokens of a completion at most."""
    temperature: float = 1.0
    top_p: float = 0.95
    """Share of probability that is sampled from."""
    engine: RolloutEngine = RolloutEngine.TRANSFORMERS
    """What samples: the model that is trained, or vLLM with a copy of its weights, in the training
    process or behind `servers`."""
    vllm_gpu_memory_utilization: float = 0.3
    """Share of the GPU's memory that vLLM takes in the training process."""
    vllm_enable_sleep_mode: bool = False
    """Free the memory of vLLM in the training process while weights are updated."""
    servers: tuple[str, ...] = ()
    """Addresses of servers that ``videor1 train serve`` started, such as ``http://node1:8000``."""
    vllm_server_timeout: float = 240.0
    """Seconds to wait for a server that does not answer, at the start and after it was lost."""
    weights_folder: Path | None = None
    """Folder through which servers get new weights; trainer and servers need it under the same
    path. None: the folder of the run."""
    ahead: int = 0
    """1: servers sample the next batch while the present one is trained on, with weights that are
    one batch old; 0: with the present weights, in turns."""
    share_prompt: bool = True
    """Compute a prompt once for all of its completions, in every pass over a batch."""
    filter_groups: bool = False
    """Replace groups whose completions all earn the same by those of further rows."""
    max_filter_rounds: int = 8
    """How often an update asks further rows at most; places still unfilled get no gradient."""

    def __post_init__(self) -> None:
        if self.num_generations < 2:
            raise ValueError(f"num_generations: expected at least 2, got {self.num_generations}")
        positive(
            self, "max_completion_length", "temperature", "vllm_server_timeout", "max_filter_rounds"
        )
        share(self, "top_p", "vllm_gpu_memory_utilization")
        if self.engine.is_vllm and self.temperature != 1:
            # vLLM's log-probabilities leave the temperature out, the trainer's do not.
            raise ValueError(
                f"temperature: expected 1 with the {self.engine} engine, got {self.temperature}"
            )
        self._check_engine_settings()

    def _check_engine_settings(self) -> None:
        """Raise `ValueError` for a setting that the engine does not have, or lacks."""
        served = self.engine is RolloutEngine.VLLM_SERVER
        if served and not self.servers:
            raise ValueError(
                f'servers: the engine {self.engine} needs at least one, such as ["http://node1:8000"]'
            )
        if len(set(self.servers)) < len(self.servers):
            raise ValueError("servers names one twice")
        if self.ahead not in (0, 1):
            raise ValueError(f"ahead: expected 0 or 1, got {self.ahead}")
        if self.ahead and self.filter_groups:
            raise ValueError(
                "filter_groups: expected false with ahead = 1: which rows an update asks is known"
                " only once its first completions are rewarded"
            )
        if self.vllm_enable_sleep_mode and self.engine is not RolloutEngine.VLLM:
            raise ValueError('vllm_enable_sleep_mode: expected engine = "vllm", which can sleep')
        for name in ("servers", "weights_folder", "ahead"):
            if getattr(self, name) and not served:
                raise ValueError(
                    f'{name}: expected engine = "{RolloutEngine.VLLM_SERVER}", got "{self.engine}"'
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class TGRPORolloutSettings(RolloutSettings):
    """How completions are sampled, also of each video with its frames in another order."""

    shuffled_group_size: int = 4
    """G~: shuffled completions per video prompt; half of G in the paper."""
    permutation: Permutation = Permutation.FRAME
    """What is permuted."""

    def __post_init__(self) -> None:
        # A dataclass with slots is a new class, which the zero-argument super() does not know.
        RolloutSettings.__post_init__(self)
        positive(self, "shuffled_group_size")


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardUse:
    """One entry of ``reward.functions``."""

    use: str
    """A reward of the algorithm, ``FILE.py:NAME`` (beside the recipe), ``package:NAME``, or what a
    package declares as an entry point of the group ``videor1.rewards``."""
    weight: float | None = None
    """Its weight in the sum; None: that of the table, or the reward's own."""
    kinds: tuple[Kind, ...] | None = None
    """Problem types that it applies to; None: as the reward says, by default all."""

    def beside(self, folder: Path) -> RewardUse:
        """Return the same with the path of a file that lies in `folder`."""
        file, colon, name = self.use.rpartition(":")
        found = folder / file
        beside = colon and file.endswith(".py") and found.is_file()
        return replace(self, use=f"{found}:{name}") if beside else self


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardSettings:
    """The reward of a completion: accuracy, format and length bonus, normalised per group."""

    functions: tuple[RewardUse, ...] = ()
    """All rewards, instead of the algorithm's own ones; empty: its own ones."""
    format_weight: float = 1.0
    """Weight of the format reward; accuracy has the weight 1."""
    length_weight: float = 0.2
    """omega: bonus of a correct completion whose length is within the window."""
    length_min: int = 320
    """Fewest tokens of the window, the end token included."""
    length_max: int = 512
    """Most tokens of the window."""
    length_min_correct: int = 1
    """Correct completions that a group needs before any gets the bonus; 2 in the code."""
    tau: float = 0.5
    """A completion counts as correct when its accuracy is above this; 0.1 in the code."""
    beta: float = 0.04
    """Weight of the KL term against the starting checkpoint; 0 needs no reference model."""
    epsilon: float = 0.2
    """Clip range of the policy ratio."""
    task_ema_decay: float | None = None
    """Divide advantages by a moving standard deviation of their problem type (EMA-GRPO), of which
    this share stays in an update; None: as ``scale_rewards`` of the algorithm says."""

    def __post_init__(self) -> None:
        at_least_zero(self, "format_weight", "length_weight", "beta", "epsilon")
        if self.task_ema_decay is not None and not 0 <= self.task_ema_decay < 1:
            raise ValueError(
                f"task_ema_decay: expected at least 0 and below 1, got {self.task_ema_decay}"
            )
        positive(self, "length_min", "length_min_correct")
        ordered(self, "length_min", "length_max")
        if not 0 <= self.tau < 1:
            raise ValueError(f"tau: expected at least 0 and below 1, got {self.tau}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalRewardSettings(RewardSettings):
    """The rewards of GRPO and a bonus for correct answers where the order of frames helped."""

    temporal_weight: float = 0.3
    """alpha: the temporal bonus of a correct completion."""
    mu: float = 1.0
    """The bonus is paid where p(ordered) >= mu * p(shuffled); 0.8 in the code."""
    group_accuracy: GroupAccuracy = GroupAccuracy.PROPORTION
    """What p is; the mean accuracy in the code."""

    def __post_init__(self) -> None:
        RewardSettings.__post_init__(self)
        at_least_zero(self, "temporal_weight", "mu")
