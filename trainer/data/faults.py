"""Names what can be wrong with a training row, and groups what was found."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from harness.schema import Kind


class Fault(StrEnum):
    """Why a row cannot be trained on."""

    FIELD = "malformed field"
    TEXT = "text that the tokenizer does not take as text"
    OPTIONS = "option letters"
    ANSWER = "answer does not fit its type"
    UNPAID = "gold answer earns no reward"
    DUPLICATE = "duplicate id"
    RATIONALE = "empty rationale"
    INPUTS = "no model inputs"
    MISSING = "media missing"
    UNREADABLE = "media unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """One fault of a row that cannot be trained on; a row may have several."""

    fault: Fault
    where: str
    message: str
    """What was expected and what the row has."""
    kind: Kind | None = field(default=None, compare=False)
    """The row's problem type; None where it has none."""

    def __str__(self) -> str:
        return f"{self.where}: {self.fault}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultGroup:
    """All faults of one kind."""

    fault: Fault
    bad: tuple[BadRow, ...]
    """In file order; a row may occur more than once."""

    @property
    def rows(self) -> int:
        """How many rows have such a fault."""
        return len({bad.where for bad in self.bad})


def group_faults(bad: Iterable[BadRow]) -> list[FaultGroup]:
    """Return the faults by kind, the most frequent kind first."""
    by_fault: defaultdict[Fault, list[BadRow]] = defaultdict(list)
    for one in bad:
        by_fault[one.fault].append(one)
    groups = [FaultGroup(fault=fault, bad=tuple(found)) for fault, found in by_fault.items()]
    return sorted(groups, key=lambda group: -group.rows)


def count_faults(bad: Iterable[BadRow]) -> str:
    """Return how many rows have which fault, in words."""
    found = Counter(fault for fault, _ in dict.fromkeys((row.fault, row.where) for row in bad))
    return ", ".join(f"{number} {fault}" for fault, number in found.items())
