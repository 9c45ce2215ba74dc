"""Reads how long the updates of a run took, by phase, from what it logged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.files import read_json_lines
from trainer.runs.folder import METRICS

PREFIX = "time/"
"""Metrics ``time/PHASE``: seconds per update."""
UPDATE = "update"
"""All phases together."""
OTHER = "other"
"""Time of no phase."""
TOKENS_PER_SECOND = "tokens_per_second"
MFU = "mfu"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseTimes:
    """Means over the updates of a run."""

    updates: int
    seconds: Mapping[str, float]
    """Per update, by phase, the longest first; without their sum."""
    tokens_per_second: float | None
    mfu: float | None
    """Share of the device's peak; None where the peak is not known."""

    @property
    def update(self) -> float:
        """Seconds per update."""
        return sum(self.seconds.values())

    def __str__(self) -> str:
        parts = [
            f"{phase.replace('_', ' ')} {value:.2g} s ({value / self.update:.0%})"
            for phase, value in self.seconds.items()
            if value >= 0.005 * self.update
        ]
        text = f"{self.update:.3g} s per update: {', '.join(parts)}"
        if self.tokens_per_second is not None:
            text += f"; {self.tokens_per_second:,.0f} tokens/s"
        known = self.mfu is not None
        return f"{text}; MFU {self.mfu:.1%}" if known else f"{text}; MFU not known for this device"


def read_phase_times(run: Path) -> PhaseTimes | None:
    """Return the mean times of the updates in ``metrics.jsonl``; None where none was logged."""
    path = run / METRICS
    lines = [line for _, line in read_json_lines(path)] if path.is_file() else []
    return mean_times(lines)


def mean_times(lines: Iterable[Mapping[str, Any]]) -> PhaseTimes | None:
    """Return the means of some lines; a line is of the updates since the line before it."""
    seconds: defaultdict[str, float] = defaultdict(float)
    rates: dict[str, list[tuple[int, float]]] = {TOKENS_PER_SECOND: [], MFU: []}
    last = updates = 0
    for line in lines:
        count = line["step"] - last
        if line.get(f"{PREFIX}{UPDATE}") is None or count <= 0:
            continue
        last, updates = line["step"], updates + count
        for name, value in line.items():
            if name.startswith(PREFIX) and value is not None:
                seconds[name.removeprefix(PREFIX)] += count * value
            elif name in rates and value is not None:
                rates[name].append((count, value))
    if not updates:
        return None
    del seconds[UPDATE]
    ordered = sorted(seconds.items(), key=lambda item: -item[1])
    return PhaseTimes(
        updates=updates,
        seconds={phase: value / updates for phase, value in ordered},
        tokens_per_second=_mean(rates[TOKENS_PER_SECOND]),
        mfu=_mean(rates[MFU]),
    )


def _mean(weighted: list[tuple[int, float]]) -> float | None:
    count = sum(number for number, _ in weighted)
    return sum(number * value for number, value in weighted) / count if count else None
