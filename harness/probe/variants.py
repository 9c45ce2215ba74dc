"""Makes the plan of each variant of a probe from the plan of the ordered one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.errors import UnavailableTaskError, UsageError
from harness.probe.config import OPTIONS
from harness.run.plan import Plan, PlannedTask, with_moved_options
from harness.schema import Variant

PLACES = 1
"""By how many places the variant `OPTIONS` moves options down."""


@dataclass(frozen=True, slots=True)
class VariantPlans:
    """What a probe asks."""

    plans: Mapping[str, Plan]
    """By variant; one that no task can be asked in is not there."""
    left_out: Mapping[str, Mapping[str, str]]
    """By variant and task: which questions are not asked in it, and why."""

    @property
    def notes(self) -> list[str]:
        """A sentence per task and variant that leaves questions out."""
        return [
            f"{task}: {variant}: not asked: {why}"
            for variant, tasks in self.left_out.items()
            for task, why in tasks.items()
        ]


def plan_variants(plan: Plan, variants: Sequence[str]) -> VariantPlans:
    """Return the plans of a probe's variants.

    Args:
        plan: The plan of the ordered variant.
        variants: Names from `harness.probe.config.VARIANTS`.

    Raises:
        UsageError: The protocol reorders frames or moves options itself, or no question of any task
            can be asked with its options moved and nothing else is asked than that.
    """
    for planned in plan.tasks:
        _require_plain(planned)
    plans = {
        name: Plan(tuple(_reorder(one, Variant(name)) for one in plan.tasks), plan.unavailable)
        for name in variants
        if name != OPTIONS
    }
    if OPTIONS not in variants:
        return VariantPlans(plans, {})
    moved, left_out = _move_options(plan)
    if moved is not None:
        plans = {**plans, OPTIONS: moved}
    return VariantPlans(
        {name: plans[name] for name in variants if name in plans},
        {OPTIONS: left_out} if left_out else {},
    )


def _require_plain(planned: PlannedTask) -> None:
    changed = {
        "frames.order": planned.frames.order.value * (planned.frames.order != Variant.ORDERED),
        "option_rotation": planned.protocol.option_rotation,
    }
    for field, value in changed.items():
        if value:
            raise UsageError(
                f"{planned.selection}: the protocol has {field} {value}, which a probe sets itself;"
                " leave it out of the protocol file"
            )


def _reorder(planned: PlannedTask, order: Variant) -> PlannedTask:
    frames = replace(planned.frames, order=order)
    return replace(planned, protocol=replace(planned.protocol, frames=frames))


def _move_options(plan: Plan) -> tuple[Plan | None, dict[str, str]]:
    """Return the plan with moved options, None where nothing can be moved, and what is left out."""
    tasks: list[PlannedTask] = []
    left_out: dict[str, str] = {}
    for planned in plan.tasks:
        protocol = replace(planned.protocol, option_rotation=PLACES)
        try:
            moved = with_moved_options(replace(planned, protocol=protocol))
        except UnavailableTaskError as error:
            left_out[planned.task.name] = str(error).partition(": ")[2]
            continue
        tasks.append(moved)
        if moved.left_out:
            left_out[planned.task.name] = moved.left_out
    return (Plan(tuple(tasks)) if tasks else None), left_out
