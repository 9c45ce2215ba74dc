"""Write and read what rewards did to the advantages of a run: two metrics per reward.

``effect/NAME`` is the norm of the change of an update's advantages by the reward NAME, relative to
the advantages without it; ``effect/NAME/groups`` is the share of groups changed by more than 1 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from trainer.rewards.advantages import Effect

_PREFIX, _GROUPS = "effect/", "/groups"


def effect_metrics(effects: Mapping[str, Effect]) -> dict[str, float]:
    """Return the metrics of an update."""
    found: dict[str, float] = {}
    for name, effect in effects.items():
        found[f"{_PREFIX}{name}"] = effect.change
        found[f"{_PREFIX}{name}{_GROUPS}"] = effect.groups
    return found


def metric_of(name: str) -> str:
    """Return the name of the metric that has the change of the advantages by a reward."""
    return f"{_PREFIX}{name}"


def read_effects(logs: Iterable[Mapping[str, Any]]) -> dict[str, Effect]:
    """Return the mean effect of each reward over the updates of a run.

    Args:
        logs: Lines of ``metrics.jsonl``; each has the means over the updates since the one before.
    """
    totals: dict[str, list[float]] = {}
    last = 0
    for line in logs:
        updates, last = line["step"] - last, line["step"]
        for key, groups in line.items():
            if key.startswith(_PREFIX) and key.endswith(_GROUPS) and groups is not None:
                name = key[len(_PREFIX) : -len(_GROUPS)]
                total = totals.setdefault(name, [0.0, 0.0, 0.0])
                for at, value in enumerate((line[metric_of(name)], groups, 1.0)):
                    total[at] += updates * value
    return {
        name: Effect(change=change / updates, groups=groups / updates)
        for name, (change, groups, updates) in totals.items()
        if updates
    }


def effects_at(logs: Iterable[Mapping[str, Any]], step: int) -> dict[str, Effect]:
    """Return the effects of an update; the mean of those logged together where several were."""
    log = next((line for line in logs if line["step"] >= step), None)
    return {} if log is None else read_effects([log])


def describe_effects(effects: Mapping[str, Effect]) -> str:
    """Return a sentence on the effects, for people; empty where there are none."""
    parts = [
        f"{name} {percent(effect.change)} ({percent(effect.groups)} of groups by more than 1 %)"
        for name, effect in effects.items()
    ]
    return f"advantages changed by {', '.join(parts)}" if parts else ""


def percent(value: float) -> str:
    """Return a share in percent with two digits, so that 0.01 % is not shown as nothing."""
    rounded = float(f"{100 * value:.2g}")
    return f"{rounded:g} %"
