"""Files of recipes, watches, miniatures and protocols extend what is shipped by its name."""

import pytest

from harness.errors import UsageError
from trainer.config.algorithms import ALGORITHMS
from trainer.config.presets import presets_of
from trainer.miniature.settings import read_miniature
from trainer.watch.settings import read_watch_settings

SETS = ["model.checkpoint=c", "data.rows=r.json", "data.media_roots=m"]
READERS = {
    **{name: one.read_recipe for name, one in ALGORITHMS.items()},
    "watch": read_watch_settings,
    "miniature": read_miniature,
}
SHIPPED = [(name, preset) for name in READERS for preset in presets_of(name)]


def _sets(name):
    return SETS if name in ALGORITHMS else ["slice.data=d"] if name == "watch" else []


@pytest.mark.parametrize(("name", "preset"), SHIPPED)
def test_a_file_that_extends_a_preset_alone_is_the_preset(name, preset, tmp_path):
    """Whichever of its files the preset extends itself."""
    file = tmp_path / "mine.toml"
    file.write_text(f'extends = "{preset}"\n')
    read, sets = READERS[name], _sets(name)
    assert read(str(file), sets) == read(preset, sets)


def test_a_value_of_the_file_replaces_the_presets(tmp_path):
    """Also where a file lies between."""
    (tmp_path / "base.toml").write_text('extends = "tiny"\n[optim]\nseed = 7\nmax_steps = 3\n')
    (tmp_path / "mine.toml").write_text('extends = "base.toml"\n[optim]\nmax_steps = 4\n')
    recipe = ALGORITHMS["grpo"].read_recipe(str(tmp_path / "mine.toml"), SETS)
    tiny = ALGORITHMS["grpo"].read_recipe("tiny", SETS)
    assert (recipe.optim.seed, recipe.optim.max_steps) == (7, 4)
    assert recipe.rollout == tiny.rollout


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("base", ['"tinny"', '""', '"mine.toml"', "3", '"paper.tom"', '"tiny "'])
def test_what_is_neither_a_preset_nor_a_file_is_refused_with_the_presets(name, base, tmp_path):
    """In every kind of file with the same words."""
    file = tmp_path / "mine.toml"
    file.write_text(f"extends = {base}\n")
    with pytest.raises(
        UsageError, match=rf"extends: expected {', '.join(presets_of(name))}, or FI"
    ):
        READERS[name](str(file), _sets(name))
