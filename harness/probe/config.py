"""Settings of a probe: those of an evaluation, and which variants it asks."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.run.config import EvalConfig
from harness.schema import Variant

OPTIONS = "options"
"""The variant in which frames are in order and options are moved down by one place."""
VARIANTS = (
    Variant.ORDERED.value,
    OPTIONS,
    Variant.SHUFFLED.value,
    Variant.REVERSED.value,
    Variant.SINGLE.value,
    Variant.BLIND.value,
)
"""All variants, those that show the same frames next to each other."""
NOT_FOR_PROBES = ("variant", "option_rotation")
"""Settings of an evaluation that a probe sets itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeConfig(EvalConfig):
    """Everything that a probe can be told besides the checkpoint."""

    variants: tuple[str, ...] = field(default=VARIANTS, metadata={"metavar": "A,B"})
    """What is asked: ordered, which all others are compared with, and of shuffled, reversed, single
    (the middle frame), blind (no frames) and options (moved down by one place) any."""

    def __post_init__(self) -> None:
        EvalConfig.__post_init__(self)
        unknown = [name for name in self.variants if name not in VARIANTS]
        if unknown or len(set(self.variants)) < len(self.variants):
            raise ValueError(
                f"variants: expected each of {', '.join(VARIANTS)} at most once, got"
                f" {','.join(self.variants)!r}"
            )
        if Variant.ORDERED not in self.variants or len(self.variants) < 2:
            raise ValueError(
                "variants: expected ordered, with which the others are compared, and at least one"
                f" other, got {','.join(self.variants)!r}"
            )
        for name in NOT_FOR_PROBES:
            if getattr(self, name) is not None:
                raise ValueError(f"{name}: a probe sets it itself; --variants says what is asked")

    @property
    def asked_variants(self) -> tuple[str, ...]:
        """The variants in the order in which a video's questions are asked."""
        return tuple(name for name in VARIANTS if name in self.variants)
