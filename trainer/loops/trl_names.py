"""The names this package takes from TRL 1.16, imported in one place.

Besides the two trainers: `unwrap_model_for_generation`. From inside the trainers, by inheritance,
the methods that `rollout_trainer`, `resume` and `sft` override; `rollouts` reads ``_tokenizer`` and
``_dist``, and `rollouts_vllm` borrows the walk through the weights from TRL's vLLM mode. None of
these is public, so the version is pinned.
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
