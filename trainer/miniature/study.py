"""State what an experiment trains and how its models are evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.schema import Variant
from trainer.miniature.arms import ARMS, VARIANTS, Arm


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The arms of an experiment, and the evaluations of each."""

    arms: tuple[Arm, ...]
    """The rows of the table; each arm comes after the one that it starts from."""
    variants: Mapping[Variant, tuple[str, ...]]
    """The frame orders of the final evaluation, each with its benchmarks."""
    start_is_chosen: bool = True
    """Whether every checkpoint is watched (``videor1 watch``) and the other arms start from the
    first good one of SFT; else from its last one."""
    probed: bool = False
    """Whether each evaluation is a ``videor1 probe`` of all variants, of every checkpoint on the
    development split and of the last one on the test split; else one ``videor1 eval`` per variant.
    """

    def arm(self, name: str) -> Arm:
        """Return the arm of this name."""
        return next(arm for arm in self.arms if arm.name == name)


ABLATION = Study(arms=ARMS, variants=VARIANTS)
"""The ablation of the paper (Video-R1, arXiv 2503.21776)."""
