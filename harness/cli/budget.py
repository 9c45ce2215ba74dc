"""Judges whether a run is complete: no item missing, no more failures than the user accepts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.exits import CommandResult, Exit
from harness.run.config import FailureBudget
from harness.run.plan import Plan

if TYPE_CHECKING:
    from harness.run.summary import Results


def completeness(results: Results, folder: Path | None, budget: FailureBudget) -> CommandResult:
    """Return exit 4 where items have no record or too many failed, exit 0 otherwise."""
    unit = "items" if results.asked == results.n else "answers"
    where = f"{results.asked} {unit}" + (f" in {folder}" if folder else "")
    if results.missing:
        each = (f"{name} {one.missing}" for name, one in results.tasks.items() if one.missing)
        reason = f"{results.missing} of {where} have no record ({', '.join(each)})"
        return CommandResult(Exit.INCOMPLETE, reason)
    if not budget.allows(results.failed, results.asked):
        return CommandResult(
            Exit.INCOMPLETE,
            f"{results.failed} of {where} failed, more than --max-failures {budget};"
            " the same command tries them again",
        )
    accepted = f" ({results.failed} failed, within the budget)" if results.failed else ""
    return CommandResult(Exit.OK, f"{where} done{accepted}")


def without_unavailable(plan: Plan, result: CommandResult) -> CommandResult:
    """Return exit 4 for a run that is complete but for tasks that could not be asked at all."""
    if result.code is not Exit.OK or not plan.unavailable:
        return result
    names = ", ".join(plan.unavailable)
    return CommandResult(
        Exit.INCOMPLETE, f"{result.reason}, without {names}, which cannot be asked"
    )
