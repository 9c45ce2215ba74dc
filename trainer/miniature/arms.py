"""List the arms of the paper's ablation, and the frame orders that each model is evaluated with."""

from __future__ import annotations

from dataclasses import dataclass

from harness.schema import Variant
from trainer.config import algorithms
from trainer.config.algorithms import Algorithm

INITIAL = "initial"
"""Start of an arm without SFT: an initialised model that answers in the right format and does not
use the frames yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One training, which starts from the end of another one or from the initial model."""

    name: str
    """Folder below that of the seed."""
    title: str
    algorithm: Algorithm
    start: str
    """Name of the arm whose checkpoint it starts from, or `INITIAL`."""
    changes: tuple[str, ...] = ()
    """Values of the recipe that differ, as ``section.field=value``."""
    rows: str = ""
    """Name of its training rows in the dataset; empty: ``sft`` or ``rl``, as its algorithm needs.
    """

    @property
    def is_fine_tuning(self) -> bool:
        """Whether it learns from rationales, not from rewards."""
        return self.algorithm is algorithms.SFT

    @property
    def training_rows(self) -> str:
        """Name of its training rows in the dataset."""
        return self.rows or ("sft" if self.is_fine_tuning else "rl")


SFT = Arm(name="sft", title="SFT", algorithm=algorithms.SFT, start=INITIAL)
ZERO = Arm(name="zero", title="zero: T-GRPO, no SFT", algorithm=algorithms.TGRPO, start=INITIAL)
GRPO = Arm(name="grpo", title="w/o temporal: GRPO", algorithm=algorithms.GRPO, start=SFT.name)
NO_IMAGES = Arm(
    name="tgrpo-video",
    title="w/o image: T-GRPO",
    algorithm=algorithms.TGRPO,
    start=SFT.name,
    changes=("data.media=video",),
)
FULL = Arm(name="tgrpo", title="full: T-GRPO", algorithm=algorithms.TGRPO, start=SFT.name)

ARMS = (SFT, ZERO, GRPO, NO_IMAGES, FULL)
"""The rows of the table; each arm comes after the one that it starts from."""

VIDEO_TASK, IMAGE_TASK = "motionworld", "motionworld-stills"
"""The two benchmarks of the dataset."""

VARIANTS: dict[Variant, tuple[str, ...]] = {
    Variant.ORDERED: (VIDEO_TASK, IMAGE_TASK),
    Variant.SHUFFLED: (VIDEO_TASK,),
    Variant.REVERSED: (VIDEO_TASK,),
    Variant.SINGLE: (VIDEO_TASK,),
    Variant.BLIND: (VIDEO_TASK, IMAGE_TASK),
}
"""The frame orders of the final evaluation, each with its benchmarks; an image has one order."""
