"""Name what is measured on the held-out clips without a mark and with a lying one."""

from __future__ import annotations

from harness.schema import Variant
from tasks.motionworld.marks import MarkKind
from trainer.miniature.results import Measure

NO_MARK = Measure(name="no_mark", title="no mark", part=MarkKind.ABSENT)
LYING = Measure(name="lying_mark", title="lying mark", part=MarkKind.CONTRADICTS)
BOTH = Measure(name="both", title="both")
GAIN = Measure(
    name="temporal_gain", title="gain, no mark", minus=Variant.SHUFFLED, part=MarkKind.ABSENT
)
GAIN_LYING = Measure(
    name="temporal_gain_lying",
    title="gain, lying mark",
    minus=Variant.SHUFFLED,
    part=MarkKind.CONTRADICTS,
)
SAME = Measure(
    name="same_shuffled",
    title="same shuffled",
    same_as=Variant.SHUFFLED,
    part=MarkKind.CONTRADICTS,
)
MEASURES = (NO_MARK, LYING, GAIN, GAIN_LYING, SAME)
"""The columns of the table."""
