"""List the arms of the shortcut experiment: algorithms by share of clips whose mark agrees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.schema import Variant
from tasks.motionworld.folder import rows_name
from trainer.config.algorithms import ALGORITHMS, SFT
from trainer.miniature.arms import INITIAL, VIDEO_TASK, Arm
from trainer.miniature.study import Study

START = Arm(name="sft", title="start: SFT", algorithm=SFT, start=INITIAL)
"""The supervised start, which answers by the order in some clips and by the mark in others."""

VARIANTS: Mapping[Variant, tuple[str, ...]] = {
    Variant.ORDERED: (VIDEO_TASK,),
    Variant.SHUFFLED: (VIDEO_TASK,),
}

_TITLES = {
    "grpo": "GRPO",
    "tgrpo": "T-GRPO, published",
    "tgrpo-evidence": "T-GRPO, evidence",
    "tgrpo-contrast": "T-GRPO, contrast",
    "tgrpo-gap": "T-GRPO, gap",
    "tgrpo-unscaled": "T-GRPO, unscaled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortcutArms:
    """The arms by algorithm and by share of training clips whose mark agrees.

    Args:
        algorithms: Names of algorithms, the first of which the others are compared with.
        agreements: The shares, in ascending order; the first says nothing about the answer.
    """

    algorithms: tuple[str, ...]
    agreements: tuple[float, ...]

    @property
    def baseline(self) -> str:
        """The algorithm that the others are compared with."""
        return self.algorithms[0]

    @property
    def control(self) -> float:
        """The share with which there is no shortcut."""
        return self.agreements[0]

    @property
    def temptations(self) -> tuple[float, ...]:
        """The shares with which there is one."""
        return self.agreements[1:]

    @property
    def study(self) -> Study:
        """The start, then an arm per share and algorithm."""
        trained = [self.arm(name, share) for share in self.agreements for name in self.algorithms]
        return Study(arms=(START, *trained), variants=VARIANTS, start_is_chosen=False, probed=True)

    def arm(self, algorithm: str, agreement: float) -> Arm:
        """Return the arm of an algorithm, trained on rows with this share."""
        return Arm(
            name=f"{algorithm}-{100 * agreement:.0f}",
            title=algorithm_title(algorithm),
            algorithm=ALGORITHMS[algorithm],
            start=START.name,
            rows=rows_name("rl", agreement),
        )


def algorithm_title(name: str) -> str:
    """Return an algorithm as the tables name it."""
    return _TITLES.get(name, name)
