"""The training algorithms, one object each: ours below, those of other packages by entry point.

Imports neither torch nor TRL: a dry run and the command's help need an algorithm's facts only. The
same holds for the module of an entry point (`docs/algorithms.md` shows one).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType

from harness.errors import UsageError
from harness.plugins import discover, importing, require
from trainer.config.presets import find_config, presets_of
from trainer.config.recipe import GRPORecipe, Recipe, SFTRecipe, TGRPORecipe, read_recipe_file
from trainer.config.variants import ContrastRecipe, EvidenceRecipe, GapRecipe, UnscaledRecipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm:
    """What ``videor1 train NAME`` needs to know before torch is imported."""

    name: str
    help: str
    """One line for ``videor1 train --help``."""
    recipe: type[Recipe]
    module: str
    """Module whose ``train(recipe, out, *, checkpoint, rows, callbacks)`` does the training."""
    trl_config: str
    """TRL's config class, whose fields the ``[trl]`` table of a recipe may set."""
    needs_rationale: bool = False
    """Whether every row needs a ``process`` text."""
    packages: tuple[str, ...] = ("torch", "transformers", "datasets", "accelerate", "peft", "trl")
    """What has to be installed, found out before a folder is claimed."""

    def __str__(self) -> str:
        return self.name

    @property
    def presets(self) -> list[str]:
        """Names of the recipes that come with the trainer."""
        return list(presets_of(self.name))

    def read_recipe(self, config: str, assignments: Sequence[str] = ()) -> Recipe:
        """Read a recipe by file or preset name, changed by ``section.field=value`` strings.

        Raises:
            UsageError: No such file or preset, or the recipe is not valid.
        """
        path = find_config(self.name, config)
        return read_recipe_file(self.recipe, path, assignments, presets_of(self.name))

    def load_trainer(self) -> Callable[..., None]:
        """Import torch and TRL, and return the function that trains.

        Raises:
            UsageError: A package is not installed, or its import fails.
        """
        self._require_packages()
        train: Callable[..., None] = import_module(self.module).train
        return train

    def load_trl_config(self) -> type:
        """Import torch and TRL, and return the config class that the recipe becomes.

        Raises:
            UsageError: A package is not installed, or its import fails.
        """
        self._require_packages()
        config: type = getattr(import_module("trainer.loops.trl_names"), self.trl_config)
        return config

    def load_row_builder(self) -> Callable[..., Callable[..., object]]:
        """Return `make_row_builder` of `trainer.loops.row_builder`."""
        make: Callable[..., Callable[..., object]]
        make = import_module("trainer.loops.row_builder").make_row_builder
        return make

    def _require_packages(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # third-party imports warn
            for name in self.packages:
                require(name, "train")


SFT = Algorithm(
    name="sft",
    help="supervised fine-tuning on rows with a rationale",
    recipe=SFTRecipe,
    module="trainer.algorithms.sft",
    trl_config="SFTConfig",
    needs_rationale=True,
)
GRPO = Algorithm(
    name="grpo",
    help="group-relative policy optimisation with the paper's rewards",
    recipe=GRPORecipe,
    module="trainer.algorithms.grpo",
    trl_config="GRPOConfig",
)
TGRPO = Algorithm(
    name="tgrpo",
    help="GRPO with the temporal bonus that Video-R1 published",
    recipe=TGRPORecipe,
    module="trainer.algorithms.tgrpo",
    trl_config="GRPOConfig",
)
TGRPO_EVIDENCE = Algorithm(
    name="tgrpo-evidence",
    help="GRPO that pays right answers by how much the order of the frames explains them",
    recipe=EvidenceRecipe,
    module="trainer.algorithms.tgrpo_evidence",
    trl_config="GRPOConfig",
)
TGRPO_CONTRAST = Algorithm(
    name="tgrpo-contrast",
    help="GRPO with a baseline over answers to ordered and to shuffled frames",
    recipe=ContrastRecipe,
    module="trainer.algorithms.tgrpo_contrast",
    trl_config="GRPOConfig",
)
TGRPO_GAP = Algorithm(
    name="tgrpo-gap",
    help="GRPO with a bonus as large as the gap between ordered and shuffled answers",
    recipe=GapRecipe,
    module="trainer.algorithms.tgrpo_gap",
    trl_config="GRPOConfig",
)
TGRPO_UNSCALED = Algorithm(
    name="tgrpo-unscaled",
    help="T-GRPO whose advantages are not divided by the deviation of a group",
    recipe=UnscaledRecipe,
    module="trainer.algorithms.tgrpo_unscaled",
    trl_config="GRPOConfig",
)

ALGORITHMS: Mapping[str, Algorithm] = MappingProxyType(
    {
        algorithm.name: algorithm
        for algorithm in (
            SFT,
            GRPO,
            TGRPO,
            TGRPO_EVIDENCE,
            TGRPO_CONTRAST,
            TGRPO_GAP,
            TGRPO_UNSCALED,
        )
    }
)
"""Ours."""

ENTRY_POINTS = "videor1.algorithms"


def find_algorithms() -> dict[str, Algorithm]:
    """Return all algorithms by name: ours, then those of other packages.

    Raises:
        UsageError: A package's algorithm cannot be imported, is none, or has the name of another.
    """
    found = dict(ALGORITHMS)
    for name, point in discover(ENTRY_POINTS).items():
        with importing(point.module, None):
            algorithm = point.load()
        if not isinstance(algorithm, Algorithm) or algorithm.name != name or name in found:
            raise UsageError(
                f"the entry point {name} = {point.value} of {ENTRY_POINTS}: expected an Algorithm"
                f" named {name!r}, and none of {', '.join(ALGORITHMS)}"
            )
        found[name] = algorithm
    return found
