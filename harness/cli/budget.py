"""When a run counts as complete: nothing missing, no more failures than the user accepts."""

from __future__ import annotations

from argparse import ArgumentTypeError
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.exits import CommandResult, Exit
from harness.run.plan import Plan

if TYPE_CHECKING:
    from harness.run.summary import Results


@dataclass(frozen=True, slots=True)
class FailureBudget:
    """A number of items, or a share of them."""

    count: int = 0
    percent: float | None = None

    def __str__(self) -> str:
        return str(self.count) if self.percent is None else f"{self.percent:g}%"

    def allows(self, failed: int, total: int) -> bool:
        """Tell whether `failed` of `total` items stay within the budget."""
        if self.percent is not None:
            return failed <= total * self.percent / 100
        return failed <= self.count

    @classmethod
    def parse(cls, text: str) -> FailureBudget:
        """Read ``12`` or ``1.5%``."""
        try:
            if text.endswith("%"):
                share = float(text[:-1])
                if not 0 <= share <= 100:
                    raise ValueError
                return cls(percent=share)
            if int(text) < 0:
                raise ValueError
            return cls(count=int(text))
        except ValueError:
            raise ArgumentTypeError(f"expected a count or a percentage, got {text!r}") from None


def completeness(results: Results, folder: Path | None, budget: FailureBudget) -> CommandResult:
    """Judge a finished run by its items without a record and its failures."""
    where = f"{results.n} items" + (f" in {folder}" if folder else "")
    if results.missing:
        return CommandResult(Exit.INCOMPLETE, f"{results.missing} of {where} have no record")
    if not budget.allows(results.failed, results.n):
        return CommandResult(
            Exit.INCOMPLETE,
            f"{results.failed} of {where} failed, more than --max-failures {budget};"
            " the same command tries them again",
        )
    accepted = f" ({results.failed} failed, within the budget)" if results.failed else ""
    return CommandResult(Exit.OK, f"{where} done{accepted}")


def without_unavailable(plan: Plan, result: CommandResult) -> CommandResult:
    """Judge a run by the tasks that could not be asked at all: it is then not complete."""
    if result.code is not Exit.OK or not plan.unavailable:
        return result
    names = ", ".join(plan.unavailable)
    return CommandResult(
        Exit.INCOMPLETE, f"{result.reason}, without {names}, which cannot be asked"
    )
