"""``docs/recipes.md`` and ``docs/train.md``: fields, defaults, rows, recipes and commands."""

import dataclasses
import re
import shlex
import shutil
from argparse import ArgumentParser
from enum import StrEnum

import pytest
from PIL import Image

from harness.cli import main
from harness.config import read_settings
from tests.clips import write_clip
from tests.paths import ROOT
from tests.trainer.commands import write_checkpoint
from trainer.cli.train import TrainCommand
from trainer.cli.watch import WatchCommand
from trainer.config import rl_sections, sections
from trainer.config.algorithms import ALGORITHMS, GRPO, SFT, TGRPO
from trainer.config.recipe import SFTRecipe
from trainer.config.renamed import RENAMED
from trainer.data.rows import TrainingRow, parse_rows

RECIPES, TRAIN = (
    (ROOT / "docs" / page).read_text(encoding="utf-8") for page in ("recipes.md", "train.md")
)
SECTIONS = {
    "model": sections.ModelSettings,
    "model.lora": sections.LoraSettings,
    "data": sections.DataSettings,
    "frames": sections.FrameSettings,
    "optim": sections.OptimSettings,
    "rollout": rl_sections.TGRPORolloutSettings,
    "reward": rl_sections.TemporalRewardSettings,
}


def _blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def _commands(page):
    text = "".join(_blocks(page, "bash")).replace("\\\n", "")
    return [shlex.split(line)[1:] for line in text.splitlines() if line]


def _table(section):
    """Return field and default of each row of a section's table."""
    part = RECIPES.split(f"## `[{section}]`")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| `?(.*?)`? \|", part, re.MULTILINE))


def _format_default(field):
    value = field.default
    if value is dataclasses.MISSING:
        return "required"
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(str(one) for one in value)
    return str(value.value if isinstance(value, StrEnum) else value)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_field_of_a_section_is_in_its_table_with_its_default(section):
    """A field that is added, renamed or gets another default fails here."""
    fields = dataclasses.fields(SECTIONS[section])
    assert _table(section) == {field.name: _format_default(field) for field in fields}


def test_the_sections_are_those_of_the_recipes():
    """Nothing but ``[trl]`` has no table of fields."""
    names = {field.name for field in dataclasses.fields(TGRPO.recipe)}
    assert names == {name for name in SECTIONS if "." not in name} | {"trl"}


def test_fields_of_tgrpo_alone_are_marked():
    """In a recipe of GRPO they are unknown keys."""
    marked = set(re.findall(r"^\| `(\w+)` \|[^|]*\| T-GRPO only", RECIPES, re.MULTILINE))
    pairs = [
        (rl_sections.TGRPORolloutSettings, rl_sections.RolloutSettings),
        (rl_sections.TemporalRewardSettings, rl_sections.RewardSettings),
    ]
    names = [[{f.name for f in dataclasses.fields(kind)} for kind in pair] for pair in pairs]
    assert marked == {name for more, fewer in names for name in more - fewer}


def test_every_preset_is_listed_with_its_algorithms():
    """A new file in the folder of recipes needs a line."""
    listed = re.findall(r"^\| `([\w.-]+)` \| ((?:sft|grpo|tgrpo)[^|]*) \|", RECIPES, re.MULTILINE)
    shipped = {name for algorithm in ALGORITHMS.values() for name in algorithm.presets}
    assert {
        name: [a.name for a in ALGORITHMS.values() if name in a.presets] for name in shipped
    } == {name: algorithms.split(", ") for name, algorithms in listed}


def test_every_old_name_is_listed():
    """With its new one."""
    part = RECIPES.split("## Old names")[1]
    for old, new in RENAMED.items():
        assert f"`{old}`" in part or f"`{old.rpartition('.')[2]}`" in part, old
        assert f"`{new}`" in part or f"`{new.rpartition('.')[2]}`" in part, new


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with the files that the pages name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text(_blocks(TRAIN, "json")[0], encoding="utf-8")
    (tmp_path / "media/clips").mkdir(parents=True)
    (tmp_path / "media/pictures").mkdir()
    write_clip(tmp_path / "media/clips/1.mp4")
    Image.new("RGB", (64, 48), "red").save(tmp_path / "media/pictures/sign.png")
    write_checkpoint(tmp_path / "checkpoint")
    recipe = _blocks(TRAIN, "toml")[0].replace("Qwen/Qwen2.5-VL-3B-Instruct", "checkpoint")
    (tmp_path / "mine.toml").write_text(recipe, encoding="utf-8")
    return tmp_path


def test_the_rows_of_the_page_are_sound(folder):
    """The page's example can be trained on."""
    rows = list(parse_rows([folder / "rows.jsonl"], [folder / "media"]))
    assert [type(row) for row in rows] == [TrainingRow] * 3
    assert all(row.rationale and row.sample.media[0].path.exists() for row in rows)


@pytest.mark.parametrize("page", [RECIPES, TRAIN], ids=["recipes", "train"])
def test_the_recipes_of_the_pages_are_valid(page, folder):
    """The ``[trl]`` example is for GRPO."""
    for number, text in enumerate(_blocks(page, "toml")):
        path = folder / f"{number}.toml"
        if text.startswith("[trl]"):
            path.write_text(f'extends = "mine.toml"\n{text}', encoding="utf-8")
            assert "report_to" in GRPO.read_recipe(str(path)).trl
        else:
            path.write_text(text, encoding="utf-8")
            assert read_settings(SFTRecipe, path) == SFT.read_recipe(str(path))


@pytest.mark.parametrize(
    "words", [*_commands(RECIPES), *_commands(TRAIN)], ids=lambda words: " ".join(words[:3])
)
def test_every_command_runs(words, folder):
    """Training as a dry run, annotating by a guesser; ``watch`` and ``show`` are parsed only."""
    words = ["checkpoint" if word.startswith("Qwen/") else word for word in words]
    if "model.checkpoint=results/runs/mine/checkpoint-100" in words:
        shutil.copytree(folder / "checkpoint", folder / "results/runs/mine/checkpoint-100")
    match words[:2]:
        case ["train", "sft" | "grpo" | "tgrpo"]:
            assert main([*words, *(["--dry-run"] if "--dry-run" not in words else [])]) == 0
        case ["train", "check"]:
            assert main(words) == 0
        case ["annotate", _]:
            fake = ["--backend", "fake", "--max-failures", "100%"]
            assert main([*words, *fake]) == 0
            assert (folder / words[words.index("--out") + 1]).exists()
        case [name, *_]:
            parser = ArgumentParser()
            {"train": TrainCommand, "watch": WatchCommand}[name]().configure(parser)
            assert parser.parse_args(words[1:])
