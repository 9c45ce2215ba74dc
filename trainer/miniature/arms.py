"""What the paper compares: one arm per row of its ablation, and the ways to ask each model."""

from __future__ import annotations

from dataclasses import dataclass

from harness.schema import Variant
from trainer.config import algorithms
from trainer.config.algorithms import Algorithm

UNTAUGHT = "untaught"
"""The model that training begins with: it answers in form and has never seen anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One training, from the end of another."""

    name: str
    """Folder below that of the seed."""
    title: str
    algorithm: Algorithm
    start: str
    """The arm it goes on with, or `UNTAUGHT`."""
    changes: tuple[str, ...] = ()
    """Values of the recipe that differ, as ``section.field=value``."""


SFT = Arm(name="sft", title="SFT", algorithm=algorithms.SFT, start=UNTAUGHT)
ZERO = Arm(name="zero", title="zero: T-GRPO, no SFT", algorithm=algorithms.TGRPO, start=UNTAUGHT)
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
"""In an order in which each one's start is there; the rows of the table."""

CLIPS, STILLS = "motionworld", "motionworld-stills"
"""The two benchmarks of the world."""

VARIANTS: dict[Variant, tuple[str, ...]] = {
    Variant.ORDERED: (CLIPS, STILLS),
    Variant.SHUFFLED: (CLIPS,),
    Variant.REVERSED: (CLIPS,),
    Variant.SINGLE: (CLIPS,),
    Variant.BLIND: (CLIPS, STILLS),
}
"""How every model is asked at the end, and about what: a picture has one order only."""
