"""Find the faults of rows that need no media: doubled ids, texts, golds that earn nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec

from harness.schema import Kind
from trainer.data.faults import BadRow, Fault
from trainer.data.rows import TrainingRow, strip_think_tags
from trainer.data.special_tokens import find_special
from trainer.rewards.rewards import accuracy

Found = Iterator[tuple[str, BadRow]]
"""Pairs of a row's location and its fault."""

_PACKAGES = {Kind.OCR: "rapidfuzz", Kind.FREE_FORM: "rouge_score"}
"""What the reward of a problem type needs; a training without it is refused."""


class FaultBook:
    """Collects faults by row; in a row they stay in the order in which they were found."""

    def __init__(self) -> None:
        self._found: defaultdict[str, list[BadRow]] = defaultdict(list)

    def __contains__(self, where: str) -> bool:
        return where in self._found

    def add(self, found: Iterable[tuple[str, BadRow]]) -> None:
        """Add pairs of a row's location and a fault."""
        for where, fault in found:
            self._found[where].append(fault)

    def of(self, where: str) -> Sequence[BadRow]:
        """Return the faults of a row."""
        return self._found.get(where, ())


def make_fault(row: TrainingRow, fault: Fault, message: str) -> tuple[str, BadRow]:
    """Return the location of a row and its fault."""
    kind = row.sample.kind
    return row.where, BadRow(fault=fault, where=row.where, message=message, kind=kind)


def find_duplicates(rows: Iterable[TrainingRow]) -> Found:
    """Yield the rows whose id an earlier row has."""
    first: dict[str, str] = {}
    for row in rows:
        before = first.setdefault(row.sample.id, row.where)
        if before != row.where:
            yield make_fault(row, Fault.DUPLICATE, f"{row.sample.id!r} is the id of {before} too")


def find_missing_rationales(rows: Iterable[TrainingRow]) -> Found:
    """Yield the rows that SFT has no target for."""
    for row in rows:
        if not strip_think_tags(row.rationale or ""):
            yield make_fault(row, Fault.RATIONALE, "SFT needs a 'process' text")


def find_special_tokens(rows: Iterable[TrainingRow], tokens: frozenset[str]) -> Found:
    """Yield the rows of which some text holds a special token of the checkpoint."""
    for row in rows:
        for name, text in _texts(row):
            token = find_special(text, tokens)
            if token is not None:
                yield make_fault(
                    row, Fault.TEXT, f"{name} holds the checkpoint's special token {token!r}"
                )
                break


def find_unpaid(rows: Iterable[TrainingRow]) -> Found:
    """Yield the rows whose own solution earns no accuracy reward: no completion ever will."""
    absent = {kind for kind, package in _PACKAGES.items() if find_spec(package) is None}
    for row in rows:
        if row.sample.kind not in absent and not accuracy(row.sample, row.solution) > 0:
            yield make_fault(
                row,
                Fault.UNPAID,
                f"the {row.sample.kind} reward of {row.sample.answer!r:.80} for itself is 0",
            )


def _texts(row: TrainingRow) -> Iterator[tuple[str, str]]:
    """Yield the texts of a row that are tokenized, with the names of their fields."""
    yield "problem", row.sample.question
    for option in row.sample.options:
        yield "options", option
    yield "solution", row.solution
    if row.rationale is not None:
        yield "process", row.rationale
