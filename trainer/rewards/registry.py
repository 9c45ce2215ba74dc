"""Find the rewards that a recipe names: the algorithm's, those of packages, those of files."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.errors import UsageError
from harness.plugins import discover, importing
from trainer.config.rl_sections import RewardUse
from trainer.rewards.reward import Reward
from trainer.rewards.spans import SPAN_REWARDS

ENTRY_POINTS = "videor1.rewards"

BUILT_IN = {reward.name: reward for reward in SPAN_REWARDS}
"""Rewards that every algorithm offers and none has by default."""


def choose_rewards(uses: Sequence[RewardUse], own: Sequence[Reward]) -> list[Reward]:
    """Return the rewards of a recipe, in its order; all of the algorithm's where it names none.

    Args:
        uses: What ``reward.functions`` holds.
        own: The rewards of the algorithm, with the weights of the recipe's ``[reward]`` table.

    Raises:
        UsageError: A reward is not found, or two have one name.
    """
    if not uses:
        return list(own)
    known = {reward.name: reward for reward in own}
    chosen = [_apply(use, known.get(use.use) or find_reward(use.use, known)) for use in uses]
    names = [reward.name for reward in chosen]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"reward.functions has two rewards named {name}; rename one")
    return chosen


def require_reward(rewards: Sequence[Reward], name: str, algorithm: str) -> None:
    """Raise `UsageError` where a recipe names its rewards without the one of its algorithm."""
    if name not in [reward.name for reward in rewards]:
        raise UsageError(
            f"reward.functions lacks {name}, without which {algorithm} is GRPO with more to"
            f' compute; add {{use = "{name}"}} or train with `videor1 train grpo`'
        )


def find_reward(use: str, known: Collection[str] = ()) -> Reward:
    """Return the reward that ``use`` names: built in, ``FILE.py:NAME``, ``package:NAME``, a plugin.

    Args:
        use: What the recipe says. A function is a reward per completion, a `Reward` is what it is.
        known: Further names, for the message.

    Raises:
        UsageError: There is none, or its module cannot be imported.
    """
    place, colon, name = use.rpartition(":")
    if use in BUILT_IN:
        return BUILT_IN[use]
    if not colon:
        points = discover(ENTRY_POINTS)
        if use not in points:
            listed = ", ".join([*known, *BUILT_IN, *points])
            raise UsageError(
                f"reward.functions: no reward is named {use!r}; there are {listed}; a reward of"
                " your own is written as FILE.py:NAME or package:NAME"
            )
        with importing(points[use].module, None):
            return _as_reward(points[use].load(), use, use)
    module = _load_file(Path(place), use) if place.endswith(".py") else _import_module(place)
    found = getattr(module, name, None)
    if found is None:
        raise UsageError(f"reward.functions: {place} has no {name!r} ({use})")
    return _as_reward(found, name, use)


def check_uses(uses: Sequence[RewardUse]) -> None:
    """Import the rewards of files and packages; raises `UsageError` where one is not found."""
    for use in uses:
        if ":" in use.use:
            find_reward(use.use)


def _apply(use: RewardUse, reward: Reward) -> Reward:
    return replace(
        reward,
        weight=reward.weight if use.weight is None else use.weight,
        kinds=reward.kinds if use.kinds is None else use.kinds,
    )


def _as_reward(found: Any, name: str, use: str) -> Reward:
    if isinstance(found, Reward):
        return found
    if not callable(found):
        raise UsageError(f"reward.functions: {use} is neither a function nor a Reward")
    return Reward(name=name, of_completion=found)


def _load_file(path: Path, use: str) -> ModuleType:
    """Import a file under a name of its own, once per process."""
    name = f"videor1_reward_{path.resolve()}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, path) if path.is_file() else None
    if spec is None or spec.loader is None:
        raise UsageError(f"reward.functions: {path} is no file ({use})")
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        text = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise UsageError(f"reward.functions: {path} cannot be imported: {text}") from error
    return module


def _import_module(place: str) -> ModuleType:
    with importing(place.partition(".")[0], None):
        return import_module(place)
