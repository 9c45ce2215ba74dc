"""What is kept of text from outside, and how each medium shows it."""

from __future__ import annotations

import csv
import io
import json
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from harness.files import JsonLinesWriter, read_json_lines
from harness.text.console import make_console, print_whole, styled
from harness.text.shown import (
    for_csv,
    for_html,
    for_json,
    for_latex,
    for_markdown,
    for_terminal,
    for_xml,
    one_line,
)
from harness.text.stored import storable, storable_json

RAW = "\x1b\x00\x07\x7f\x9b\u202e\u2066\u200f\u2028\ufeff\U000e0041"
any_text = st.text(st.characters(categories=None, exclude_categories=()))


def test_halves_that_belong_together_become_their_character() -> None:
    """A pair spelled in two halves is the emoji it was; a single half is U+FFFD."""
    assert storable("\ud83d\ude00 \ud83d!") == "\N{GRINNING FACE} \ufffd!"
    assert storable("NUL \x00 and ESC \x1b stay") == "NUL \x00 and ESC \x1b stay"
    assert storable_json({"\udc00": ["\ud800", 1, None]}) == {"\ufffd": ["\ufffd", 1, None]}


@given(any_text)
def test_whatever_is_storable_is_utf_8(text: str) -> None:
    """Every text can be written afterwards, and is not changed by a second pass."""
    kept = storable(text)
    assert kept.encode().decode() == kept
    assert storable(kept) == kept


def test_json_lines_take_any_text_and_give_storable_text_back(tmp_path) -> None:
    """Halves, NUL and control characters cost nothing but the halves."""
    path = tmp_path / "lines.jsonl"
    with JsonLinesWriter(path) as writer:
        writer.append({"text": f"{RAW}\ud800"})
    path.write_bytes(path.read_bytes() + b'{"text": "\\ud83d\\ude00\\uD83D"}\n')
    kept = [row["text"] for _, row in read_json_lines(path)]
    assert kept == [f"{RAW}\ufffd", "\N{GRINNING FACE}\ufffd"]
    assert not set(RAW) & set(path.read_text())


@pytest.mark.parametrize(
    "show", [for_terminal, one_line, for_markdown, for_html, for_latex, for_xml, for_csv]
)
@given(text=any_text)
def test_nothing_invisible_is_left_in_any_medium(show, text: str) -> None:
    """What a terminal obeys is written as an escape, whatever the medium."""
    shown = show(f"{text}{RAW}")
    assert not set(RAW) & set(shown)
    assert for_terminal(shown) == shown
    shown.encode()


def test_joiners_that_scripts_need_are_kept() -> None:
    """Emoji families and Indic conjuncts are shown as they are; so are line breaks."""
    assert for_terminal("\u200d\u200c\n\té中") == "\u200d\u200c\n\té中"
    assert for_terminal("\x1b[2J\u202eabc") == "\\x1b[2J\\u202eabc"
    assert one_line("a\n\x1b b\t c") == "a \\x1b b c"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("a|b\n| c |", r"a\|b \| c \|"),
        ("![x](http://evil)", r"!\[x\](http://evil)"),
        ("- item", r"\- item"),
        ("1. item", r"1\. item"),
        ("---", r"\---"),
        ("87.5 ± 1.2", "87.5 ± 1.2"),
        ("-", "-"),
        ("&lt;", "&amp;lt;"),
        ("$x$ `y` ~z~ #1", r"\$x\$ \`y\` \~z\~ \#1"),
    ],
)
def test_markdown_shows_marks_as_text(text: str, shown: str) -> None:
    """Tags, tables, images, lists and rules of others stay text."""
    assert for_markdown(text) == shown


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\uff1d"])
def test_no_spreadsheet_computes_a_cell(start: str) -> None:
    """A formula becomes text; numbers stay numbers."""
    assert str(for_csv(f"{start}HYPERLINK(1)")).startswith("'")
    assert for_csv(-1.5) == -1.5
    assert for_csv(None) is None
    page = io.StringIO()
    csv.writer(page).writerow([for_csv('a,"b"\x1b')])
    assert next(csv.reader([page.getvalue()])) == ['a,"b"\\x1b']


@given(any_text)
def test_any_text_is_an_xml_attribute(text: str) -> None:
    """What is escaped for XML can be parsed again."""
    element = ElementTree.Element("case", name=for_xml(text))
    written = ElementTree.tostring(element, encoding="unicode")
    assert ElementTree.fromstring(written).get("name") is not None


@given(any_text)
def test_an_escaped_json_document_means_the_same(text: str) -> None:
    """Escaping is for the eye; a parser reads what was written."""
    content = {"a": storable(f"{text}{RAW}")}
    document = for_json(json.dumps(content, ensure_ascii=False))
    assert json.loads(document) == content
    assert not set(RAW) & set(document)


def test_markup_in_names_is_printed_as_it_is() -> None:
    """Folder and category names in square brackets are neither swallowed nor raise."""
    page = io.StringIO()
    console = make_console(file=page, width=60)
    table = Table("[bold]head", title="[/title]")
    table.add_row("x[/]y [red]rain[/red] :smile: [link=file:///]")
    console.print(table)
    console.print("[/]", Text("\x1b[31m\u202e"), styled(("[b]", "bold"), " [/b]"), style="red")
    console.rule("[red]\x9b1m")
    printed = page.getvalue()
    for name in ("[bold]head", "[/title]", "x[/]y [red]rain[/red] :smile: [link=file:///]",
                 "[/] \\x1b[31m\\u202e [b] [/b]", "[red]\\x9b1m"):  # fmt: skip
        assert name in printed


def test_every_console_is_made_in_one_place() -> None:
    """No command makes a console of its own, which would obey markup and escapes."""
    from tests.paths import ROOT

    allowed = ROOT / "harness" / "text" / "console.py"
    for package in ("harness", "tasks", "trainer"):
        for path in (ROOT / package).rglob("*.py"):
            if path != allowed:
                assert " Console(" not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize("columns", ["", "0", "wide"])
def test_columns_that_are_no_width_cut_nothing(columns, monkeypatch) -> None:
    """An empty, zero or odd ``COLUMNS`` is none: a file gets a table as wide as it needs."""
    monkeypatch.setenv("COLUMNS", columns)
    table = Table("a" * 300)
    file = io.StringIO()
    print_whole(make_console(file=file), table)
    assert "a" * 300 in file.getvalue()
