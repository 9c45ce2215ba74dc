"""The names this package takes from TRL 1.16, imported in one place.

Besides the two trainers: `unwrap_model_for_generation`, and from inside `GRPOTrainer` the methods
that `trainer.rollout_trainer` overrides. They are not public, so the version is pinned.
"""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # TRL has a look at vLLM and complains of versions it does not know; our rollouts do not go
    # through its vLLM code.
    warnings.simplefilter("ignore")
    from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer
    from trl.models.utils import unwrap_model_for_generation

__all__ = [
    "GRPOConfig",
    "GRPOTrainer",
    "SFTConfig",
    "SFTTrainer",
    "unwrap_model_for_generation",
]
