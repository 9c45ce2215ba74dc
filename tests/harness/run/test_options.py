"""Options of a settings class: flags, TOML keys and keyword arguments follow from its fields."""

from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal

import pytest

from harness.bounds import positive
from harness.cli.flags import add_option_flags, flags_of, read_option_flags
from harness.config import read_settings
from harness.errors import UsageError
from harness.run.config import EvalConfig, JudgeConfig
from harness.run.options import differing_options, options_of, with_options


class Colour(StrEnum):
    """Two colours."""

    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Oven:
    """A group of settings."""

    heat: float = field(default=180.0, metadata={"metavar": "C"})
    """Degrees of the oven."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tin:
    """An optional group, whose names have a prefix."""

    size: int
    """Centimetres across."""
    maker: str
    """Who made it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cake:
    """Settings of every kind that there is."""

    layers: int = 2
    """Number of layers."""
    fruit: tuple[str, ...] = ("plum",)
    """What goes in."""
    icing: Colour = Colour.RED
    flour: Literal["rye", "wheat"] = "rye"
    vegan: bool = False
    recipe: Path | None = None
    extra: Mapping[str, bool | int | float | str] = field(
        default_factory=dict, metadata={"title": "more"}
    )
    """Anything else."""
    oven: Oven = field(default_factory=Oven)
    tin: Tin | None = field(default=None, metadata={"prefix": "tin_"})

    def __post_init__(self) -> None:
        positive(self, "layers")


def _parsed(*words):
    parser = ArgumentParser()
    add_option_flags(parser, Cake)
    return read_option_flags(parser.parse_args(words), Cake())


FLAGS = [
    "--layers", "3", "--fruit", "plum,pear", "--icing", "blue", "--flour", "wheat", "--vegan",
    "--recipe", "a/b.txt", "--extra", "nuts=true", "--extra", "grams=5", "--heat", "200.5",
    "--tin-size", "24", "--tin-maker", "me",
]  # fmt: skip
CAKE = Cake(
    layers=3,
    fruit=("plum", "pear"),
    icing=Colour.BLUE,
    flour="wheat",
    vegan=True,
    recipe=Path("a/b.txt"),
    extra={"nuts": True, "grams": 5},
    oven=Oven(heat=200.5),
    tin=Tin(size=24, maker="me"),
)


def test_every_field_is_a_flag_with_its_docstring_as_help():
    """A new field is a new flag, and nothing else has to be written."""
    parser = ArgumentParser()
    add_option_flags(parser, Cake)
    text = " ".join(parser.format_help().split())
    assert "--layers LAYERS number of layers (default: 2)" in text
    assert "--heat C degrees of the oven (default: 180.0)" in text
    assert "--icing {red,blue}" in text
    assert "more: --extra NAME=VALUE anything else" in text
    assert [option.name for option in options_of(Cake)] == [
        "layers", "fruit", "icing", "flour", "vegan", "recipe", "extra", "heat", "tin_size",
        "tin_maker",
    ]  # fmt: skip


def test_flags_are_read_into_the_fields_types():
    """Whole numbers, lists, enumerations, switches, paths, groups and prefixed groups."""
    assert _parsed(*FLAGS) == CAKE
    assert _parsed() == Cake()


def test_settings_can_be_turned_into_flags_again():
    """What a child process is started with means the same; defaults are left out."""
    assert _parsed(*flags_of(CAKE)) == CAKE
    assert flags_of(Cake()) == []
    assert differing_options(Cake(layers=5)) == {"layers": 5}


def test_the_same_names_are_toml_keys(tmp_path):
    """Groups are tables; flags change what the file says."""
    file = tmp_path / "cake.toml"
    file.write_text(
        'layers = 3\nfruit = ["plum", "pear"]\nicing = "blue"\nflour = "wheat"\nvegan = true\n'
        'recipe = "a/b.txt"\nextra = {nuts = true, grams = 5}\n'
        '[oven]\nheat = 200.5\n[tin]\nsize = 24\nmaker = "me"\n'
    )
    assert read_settings(Cake, file) == CAKE
    assert with_options(read_settings(Cake, file), {"layers": "7"}).layers == 7


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"layer": 3}, "unknown option 'layer'"),
        ({"layers": "0"}, "layers: expected more than 0, got 0"),
        ({"layers": "two"}, "layers: expected a whole number, got 'two'"),
        ({"flour": "maize"}, "flour: expected one of rye, wheat, got 'maize'"),
        ({"vegan": "perhaps"}, "vegan: expected true or false, got 'perhaps'"),
        ({"extra": "nuts"}, "extra: expected NAME=VALUE or a JSON object, got 'nuts'"),
        ({"extra": "=1"}, "extra: expected NAME=VALUE or a JSON object, got '=1'"),
        ({"extra": "[1]"}, r"extra: expected NAME=VALUE or a JSON object, got '\[1\]'"),
        ({"extra": "{'nuts': 1}"}, "extra: not a valid JSON object: "),
        ({"tin_size": "3"}, "--tin-size and --tin-maker go together"),
    ],
)
def test_a_bad_value_is_a_usage_error_that_names_its_option(values, message):
    """Unknown names, bounds, types, choices, half of a group."""
    with pytest.raises(UsageError, match=message):
        with_options(Cake(), values)


def test_a_mapping_is_also_written_as_a_json_object():
    """Names and values are added to those that are there."""
    cake = _parsed("--extra", '{"nuts": true, "grams": 5}', "--extra", "grams=7")
    assert cake.extra == {"nuts": True, "grams": 7}


def test_the_judge_of_an_evaluation_is_a_prefixed_group():
    """``--judge-url`` and ``--judge-model``, as in the commands that score."""
    config = with_options(EvalConfig(), {"judge_url": "http://h/v1", "judge_model": "m"})
    assert config.judge == JudgeConfig(url="http://h/v1", model="m")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("3", 3),
        ("3.5", 3.5),
        ("high", "high"),
        ('"3"', "3"),
        ("", ""),
        ("a=b", "a=b"),
        ("[1, 2]", [1, 2]),
        ("NaN", "NaN"),
    ],
)
def test_values_of_a_mapping_are_read_as_json_or_as_text(text, value):
    """``False`` is no text: chat templates would take it for true."""
    read = with_options(Cake(), {"extra": f"x={text}"}).extra["x"]
    assert (read, type(read)) == (value, type(value))


def test_names_of_a_mapping_are_added_to_those_of_the_file():
    """The flag changes one name and leaves the others."""
    cake = Cake(extra={"nuts": True, "grams": 5})
    assert with_options(cake, {"extra": [{"grams": 6}]}).extra == {"nuts": True, "grams": 6}
