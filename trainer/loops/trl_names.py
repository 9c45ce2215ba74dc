"""Import the names that this package uses from TRL 1.16, in one place.

Beside the two trainers: `unwrap_model_for_generation` and `RepeatSampler`. By inheritance also the
methods that `rollout_trainer`, `model`, `finite` and `sft` override; `rollouts` reads the tokenizer
(``_tokenizer``) and ``_dist``, and `weights` uses the iteration over weights of TRL's vLLM
mode. None of these is public, so the version is pinned.
"""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # TRL warns of vLLM versions that it does not know; our rollouts do not use its vLLM code.
    warnings.simplefilter("ignore")
    from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer
    from trl.models.utils import unwrap_model_for_generation
    from trl.trainer.utils import RepeatSampler

__all__ = [
    "GRPOConfig",
    "GRPOTrainer",
    "RepeatSampler",
    "SFTConfig",
    "SFTTrainer",
    "unwrap_model_for_generation",
]
