"""Rewards of completions, and where they differ from the evaluation's scores.

What a reward of your own needs: `Reward`, `CompletionGroup`, `Sample`.
"""

from harness.schema import Sample
from trainer.rewards.completions import NOT_APPLICABLE, CompletionGroup, ScoredCompletion
from trainer.rewards.reward import Reward

__all__ = ["NOT_APPLICABLE", "CompletionGroup", "Reward", "Sample", "ScoredCompletion"]
