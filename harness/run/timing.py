"""Where the time of a run went: measured while it runs, shown at its end, kept in its summary."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from harness.backends.base import EngineStats
from harness.schema import Record
from harness.video.pool import DecodeCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One invocation of a run; a resumed run has answered fewer items than it holds."""

    items: int
    """Items answered by this invocation, failed ones included."""
    start_s: float
    """Building the engine; videos are decoded meanwhile."""
    answer_s: float
    """From the engine being ready to the last record."""
    prompt_tokens: int
    output_tokens: int
    decode: DecodeCounts
    engine: EngineStats

    @property
    def items_per_s(self) -> float:
        """Items per second once the engine was ready."""
        return self.items / max(self.answer_s, 1e-9)

    @property
    def tokens_per_s(self) -> float:
        """Generated tokens per second once the engine was ready."""
        return self.output_tokens / max(self.answer_s, 1e-9)

    def as_json(self) -> dict[str, Any]:
        """Return what ``summary.json`` holds under ``timing``."""
        return {
            **asdict(self),
            "items_per_s": self.items_per_s,
            "output_tokens_per_s": self.tokens_per_s,
        }


def read_timing(content: Mapping[str, Any] | None) -> Timing | None:
    """Return the timing that ``summary.json`` holds, None where it has none that can be read."""
    if content is None:
        return None
    derived = ("items_per_s", "output_tokens_per_s")
    try:
        fields = {name: value for name, value in content.items() if name not in derived}
        parts = {
            "decode": DecodeCounts(**fields["decode"]), "engine": EngineStats(**fields["engine"])
        }  # fmt: skip
        return Timing(**{**fields, **parts})
    except (TypeError, KeyError):
        return None


class Stopwatch:
    """Takes the two spans of an invocation; begun when built."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._ready: float | None = None

    def engine_ready(self) -> None:
        """Note that the engine can take its first request."""
        self._ready = time.perf_counter()

    def timing(
        self, records: Iterable[Record], decode: DecodeCounts, engine: EngineStats
    ) -> Timing:
        """Return the times up to now, and the tokens of the records made meanwhile."""
        now = time.perf_counter()
        ready = now if self._ready is None else self._ready
        made = list(records)
        return Timing(
            items=len(made),
            start_s=ready - self._began,
            answer_s=now - ready,
            prompt_tokens=sum(record.prompt_tokens for record in made),
            output_tokens=sum(record.output_tokens for record in made),
            decode=decode,
            engine=engine,
        )
