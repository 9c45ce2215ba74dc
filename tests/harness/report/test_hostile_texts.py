"""Texts from outside stay texts on the pages of a report and in its data."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness.report.build import build_report
from harness.report.scripts import write_script
from tests.harness.report.examples import (
    HOSTILE,
    ONE,
    details,
    first_records,
    manifest_of,
    read_script,
    sample_of,
    write_run,
)


def test_no_text_can_end_a_script_or_become_markup(pair: Path):
    """Data scripts hold no letter that HTML or old JavaScript takes for its own."""
    for path in (pair / "data").iterdir():
        assert not set("<>&\u2028\u2029\x1b\x00\u202e") & set(path.read_text().removesuffix("\n"))


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("text", [*HOSTILE, "\ud83d half", "a" * 5000 + "<b>"])
def test_a_page_has_no_element_that_a_text_has_made(tmp_path: Path, text: str):
    """Model, file, item id, category, video and message are shown as text; nothing runs inline."""
    manifest = manifest_of(None, model=text) | {"named": text, "backend": text}
    records = [
        replace(one, id=f"{one.id} {text}", cluster=f"{one.cluster}{text}", gold=text, answer=text,
                category=f"{text.replace('/', '')}x")
        for one in first_records()
    ]  # fmt: skip
    run = write_run(tmp_path / "run", manifest, records, samples=[sample_of(0)])
    other = write_run(tmp_path / "other", manifest, list(reversed(records)))
    page = build_report([run, other], tmp_path / "out", ONE).page
    tags = _Tags()
    tags.feed(page.read_text(encoding="utf-8"))
    allowed = {
        "a", "article", "body", "button", "caption", "circle", "code", "dd", "details", "dialog",
        "div", "dl", "dt", "footer", "form", "h1", "h2", "h3", "head", "header", "html", "i",
        "input", "kbd", "label", "li", "line", "link", "main", "meta", "nav", "noscript", "ol", "p",
        "rect", "script", "section", "select", "span", "strong", "summary", "sup", "svg", "table",
        "tbody", "td", "th", "thead", "title", "tr", "ul",
    }  # fmt: skip
    assert {tag for tag, _ in tags.found} <= allowed
    for tag, attributes in tags.found:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        if tag == "script":
            assert (attributes.get("src") or "").startswith("assets/")


def test_a_line_of_a_megabyte_is_cut_on_the_page_and_whole_in_the_item(tmp_path: Path):
    """Model, message and answer; the page stays small."""
    text = "<x>" * 350_000
    first, *others = first_records()
    records = [replace(first, answer=text, text=text), *others]
    run = write_run(tmp_path / "run", manifest_of(None, model=text), records)
    page = build_report([run], tmp_path / "out", ONE).page
    assert page.stat().st_size < 200_000
    assert "… (1,050,000 characters)" in page.read_text()
    assert details(page.parent)["vsibench/0"]["answers"][0][0]["text"] == text


def test_the_page_loads_nothing_but_its_own_files(pair: Path):
    """The content security policy says so, and no address leads elsewhere."""
    text = (pair / "index.html").read_text()
    assert "default-src 'none'; script-src 'self' file:; style-src 'self' file:;" in text
    for path in [pair / "index.html", *(pair / "assets").iterdir()]:
        addresses = re.findall(r"https?://[^\s\"'`]+", path.read_text())
        assert set(addresses) <= {"http://www.w3.org/2000/svg"}, path  # a name, not a place


def test_a_script_hands_over_an_equal_value(tmp_path: Path):
    """Escapes change no letter."""
    value = {"text": [*HOSTILE, "\ud800 lone"], "number": 1.5, "none": None}
    write_script(tmp_path, "items", value, 3)
    found = read_script(tmp_path / "items-3.js")
    assert found["text"][:-1] == list(HOSTILE)
    assert found["number"] == 1.5
