"""TOML files into frozen dataclasses: types, keys, sections, and what ``--set`` may change."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import pytest

from harness.bounds import positive
from harness.config import build, read_settings
from harness.errors import UsageError


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    size: int = 1
    share: float = 0.5
    where: Path | None = None

    def __post_init__(self) -> None:
        positive(self, "size")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    name: str
    inner: Inner = field(default_factory=Inner)
    colours: tuple[Colour, ...] = ()
    mode: Literal["fast", "slow"] = "fast"
    on: bool = False
    rules: Mapping[str, Inner] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


@pytest.fixture
def read(tmp_path):
    def from_text(text, sets=(), schema=Outer):
        path = tmp_path / "settings.toml"
        path.write_text(text, encoding="utf-8")
        return read_settings(schema, path, sets)

    return from_text


def test_tables_become_dataclasses_and_values_their_types(read):
    """Names become enums, lists tuples, whole numbers fractions where the field is one."""
    text = """
        name = "a"
        colours = ["blue", "red"]
        inner = { share = 1, where = "~/x" }
        [rules.one]
        size = 2
        [extra]
        kwargs = { depth = [1, 2] }
    """
    assert read(text) == Outer(
        name="a",
        colours=(Colour.BLUE, Colour.RED),
        inner=Inner(share=1.0, where=Path.home() / "x"),
        rules={"one": Inner(size=2)},
        extra={"kwargs": {"depth": [1, 2]}},
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "nam = 'a'",
            "unknown key 'nam'; valid keys: name, inner, colours, mode, on",
        ),
        ("inner.siz = 1", "unknown key 'inner.siz'; valid keys: size, share, where"),
        ("rules.one.siz = 1", "unknown key 'rules.one.siz'; valid keys: size, share, where"),
        ("on = true", "key 'name' is missing"),
        ("name = 3", "name: expected a text, got 3"),
        ("name = 'a'\non = 1", "on: expected true or false, got 1"),
        ("name = 'a'\ninner = 3", "inner: expected a table, got 3"),
        ("name = 'a'\nrules = 3", "rules: expected a table, got 3"),
        ("name = 'a'\ninner.size = '3'", "inner.size: expected a whole number, got '3'"),
        ("name = 'a'\ninner.size = 2.5", "inner.size: expected a whole number, got 2.5"),
        ("name = 'a'\ninner.share = 'x'", "inner.share: expected a number, got 'x'"),
        ("name = 'a'\ninner.size = 0", "inner: size: expected more than 0, got 0"),
        ("name = 'a'\ncolours = 'red'", "colours: expected a list, got 'red'"),
        ("name = 'a'\ncolours = ['pink']", "colours: expected one of 'red' or 'blue', got 'pink'"),
        ("name = 'a'\nmode = 'x'", "mode: expected one of 'fast' or 'slow', got 'x'"),
        ("name =", "not a readable TOML file"),
    ],
)
def test_a_wrong_file_is_refused_with_file_key_expected_and_got(read, text, message):
    """The first error is reported; a misspelt key before one that is missing."""
    with pytest.raises(UsageError) as caught:
        read(text)
    assert f"settings.toml: {message}" in str(caught.value)


def test_set_replaces_values_of_the_file(read):
    """Texts need no quotes, lists of one no brackets; ``none`` unsets; free tables take any key."""
    sets = ["name=b c", "inner.where=none", "colours=red", "rules.x.size=3", "extra.n=[1, 2]"]
    found = read("name = 'a'\ninner.where = 'w'", sets)
    assert (found.name, found.inner.where, found.colours) == ("b c", None, (Colour.RED,))
    assert (found.rules, found.extra) == ({"x": Inner(size=3)}, {"n": [1, 2]})


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("inner.siz=1", "unknown key 'inner.siz'; valid keys: size, share, where"),
        ("inner=1", "inner is a section; its fields: size, share, where"),
        ("rules.x=1", "rules.x is a section; its fields: size, share, where"),
        ("extra=1", "extra is a section; name one of its fields"),
        ("name.more=1", "name is a value, not a section"),
        ("name", "expected section.field=value"),
    ],
)
def test_a_set_that_names_no_field_is_refused(read, assignment, message):
    """The message begins with the flag as it was given."""
    with pytest.raises(UsageError) as caught:
        read("name = 'a'", [assignment])
    assert f"--set {assignment}: {message}" in str(caught.value)


def test_several_named_sections_are_read_from_one_file(read):
    """A section that the file leaves out has its defaults; one with required fields is missing."""
    sections = {"first": Inner, "second": Outer}
    found = read("[second]\nname = 'a'", ["first.size=4"], sections)
    assert found == {"first": Inner(size=4), "second": Outer(name="a")}
    with pytest.raises(UsageError, match="key 'second' is missing"):
        read("", (), sections)
    with pytest.raises(UsageError, match="unknown key 'third'; valid keys: first, second"):
        read("[third]", (), sections)


def test_a_file_extends_another_beside_it(read, tmp_path):
    """Tables are merged, all else is replaced."""
    (tmp_path / "base.toml").write_text("name = 'a'\ninner = { size = 2, share = 0.1 }\n")
    found = read("extends = 'base.toml'\ninner.size = 3")
    assert found.inner == Inner(size=3, share=0.1)


def test_a_mapping_from_elsewhere_is_built_alike():
    """A stored policy is read from JSON, and the message says where it came from."""
    assert build(Inner, {"size": 2}, "lock") == Inner(size=2)
    with pytest.raises(UsageError, match=r"^lock: size: expected more than 0, got -1"):
        build(Inner, {"size": -1}, "lock")
