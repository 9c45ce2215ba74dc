"""Finds the recipes and settings that come with the trainer.

A preset is a file in ``recipes``: ``tgrpo.toml`` is the preset ``paper`` of ``tgrpo``,
``tgrpo-tiny.toml`` its preset ``tiny``. A hyphen in a name is an underscore in the file's:
``tgrpo_gap-tiny.toml`` is the preset ``tiny`` of ``tgrpo-gap``.
"""

from __future__ import annotations

from pathlib import Path

from harness.errors import UsageError

RECIPES = Path(__file__).parent / "recipes"

PAPER = "paper"
"""The preset that has no suffix: the values of the Video-R1 paper."""


def presets_of(name: str) -> dict[str, Path]:
    """Map preset names to files, of an algorithm, of ``watch`` or of ``miniature``."""
    stem = name.replace("-", "_")
    paper = RECIPES / f"{stem}.toml"
    others = sorted(RECIPES.glob(f"{stem}-*.toml"))
    return {
        **({PAPER: paper} if paper.is_file() else {}),
        **{path.stem.removeprefix(f"{stem}-"): path for path in others},
    }


def find_config(name: str, config: str) -> Path:
    """Return the file that ``--config`` names: a path to a TOML file, or a preset.

    Args:
        name: Whose presets, such as ``tgrpo`` or ``watch``.
        config: What the user wrote.

    Raises:
        UsageError: It is neither.
    """
    if Path(config).suffix == ".toml":
        return Path(config)
    presets = presets_of(name)
    if config not in presets:
        raise UsageError(
            f"--config {config}: neither a .toml file nor a preset of {name}; presets:"
            f" {', '.join(presets)}"
        )
    return presets[config]
