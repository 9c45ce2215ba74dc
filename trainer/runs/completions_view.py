"""Prints the completions of a GRPO or T-GRPO run with their rewards.

Reads ``completions.jsonl``, one line per group of completions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.files import read_json_lines
from trainer.runs.effects import describe_effects, effects_at
from trainer.runs.folder import COMPLETIONS
from trainer.runs.step_lines import read_metrics

if TYPE_CHECKING:
    from rich.console import Console

Group = Mapping[str, Any]

_TOTALS = ("reward", "advantage", "log_ratio")
"""Keys of ordered completions alone; the last one where it was computed (tgrpo-evidence)."""


def print_completions(
    console: Console, run: Path, *, step: int | None, row_id: str | None, limit: int
) -> str:
    """Print the groups of one step, prompt by prompt.

    Args:
        console: Where to print.
        run: Folder of the run.
        step: Which step; None: the last one with completions, of `row_id` where that is given.
        row_id: Print only this row's group.
        limit: Maximum number of prompts.

    Returns:
        A sentence that says what was printed.

    Raises:
        UsageError: The run has no completions, or none of this step or row.
    """
    groups = [group for group in read_completions(run) if row_id in (None, group["id"])]
    steps = sorted({group["step"] for group in groups})
    if not steps:
        raise UsageError(f"{run}: no completions{f' of row {row_id!r}' if row_id else ' yet'}")
    chosen = steps[-1] if step is None else step
    if chosen not in steps:
        raise UsageError(
            f"{run}: no completions of step {chosen}; there are some of {len(steps)} steps,"
            f" {steps[0]} to {steps[-1]}"
        )
    of_step = [group for group in groups if group["step"] == chosen]
    for group in of_step[:limit]:
        _print_group(console, group)
    effects = describe_effects(effects_at(read_metrics(run), chosen))
    if effects:
        console.print(effects, soft_wrap=True)
    shown = min(limit, len(of_step))
    return f"{shown} of {len(of_step)} prompts of step {chosen} shown; steps {steps[0]}-{steps[-1]}"


def read_completions(run: Path) -> Iterator[Group]:
    """Yield what the run wrote down, without a last line that a kill tore."""
    path = run / COMPLETIONS
    if not path.is_file():
        raise UsageError(f"{run}: no {COMPLETIONS}; GRPO and T-GRPO runs write it, SFT runs do not")
    for _, line in read_json_lines(path):
        yield line


def _print_group(console: Console, group: Group) -> None:
    """Print one prompt with its media and gold answer, then its completions."""
    console.rule(f"{group['id']} ({group['kind']}), step {group['step']}", align="left")
    for text in (*group["media"], group["question"]):
        console.print(text, soft_wrap=True)
    console.print(f"gold: {group['gold']}", style="bold")
    if group["failure"] is not None:
        console.print(f"dropped: {group['failure']}", style="red", soft_wrap=True)
    elif group.get("left_out"):
        console.print(f"left out: {group['left_out']}", style="yellow")
    for variant in ("ordered", "shuffled"):
        if group[variant]:
            console.print(f"\n{variant} frames", style="bold")
        for completion in group[variant]:
            _print_completion(console, completion)
    console.print()


def _print_completion(console: Console, completion: Mapping[str, Any]) -> None:
    """Print what a completion earned on one line and its text below, whatever the width."""
    from rich.padding import Padding
    from rich.text import Text

    rewards = ", ".join(
        f"{_short_name(n)} {_format_value(v)}" for n, v in completion["rewards"].items()
    )
    totals = "; ".join(
        f"{n.replace('_', ' ')} {_format_value(completion[n])}" for n in _TOTALS if n in completion
    )
    cut = ", cut off" if completion["truncated"] else ""
    line = f"{totals}; {rewards}" if totals else rewards
    console.print(
        Padding(Text(f"{line}; {completion['tokens']} tokens{cut}", "cyan"), (0, 0, 0, 2))
    )
    console.print(Padding(Text(completion["text"]), (0, 0, 0, 4)))


def _short_name(name: str) -> str:
    return name.removesuffix("_reward").removesuffix("_bonus")


def _format_value(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
