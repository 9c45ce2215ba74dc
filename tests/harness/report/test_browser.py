"""The pages of a report in a browser, opened from the disk, without a network."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from harness.cli import main
from harness.report.build import build_report
from harness.report.config import ReportConfig
from tests.browser import open_browser, quiet
from tests.clips import number
from tests.harness.report.examples import HOSTILE, SHOWN, SHUFFLED, write_clips, write_pair

pytestmark = pytest.mark.slow
AXE = {"resultTypes": ["violations"], "preload": False}
"""Axe would otherwise fetch the style sheets, which the page's content security policy forbids."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison of two runs; who needs one run reads the pages of the first."""
    folder = tmp_path_factory.mktemp("report")
    runs = write_pair(folder, write_clips(folder / "data"))
    return build_report(runs, folder / "out", ReportConfig(workers=1)).page


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    """A page that the tests of this file share."""
    with open_browser() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(10_000)
        yield page


@pytest.fixture
def page(tab: Page, report: Path) -> Iterator[Page]:
    """The overview; the test fails on a console message, an error, or a request to a network."""
    with quiet(tab):
        tab.set_viewport_size({"width": 1280, "height": 900})
        tab.goto("about:blank")
        tab.goto(report.as_uri())
        yield tab


def _expect_ids(page: Page, expected: list[str]) -> None:
    """Wait until the list, which is drawn in the next frame, shows these items and no others."""
    end = time.monotonic() + 5
    while _ids(page) != expected and time.monotonic() < end:
        page.wait_for_timeout(20)
    assert _ids(page) == expected


def _open(page: Page, state: str) -> None:
    """Follow a link within the report and wait until the list shows its state."""
    page.evaluate("delete document.documentElement.dataset.ready")
    page.evaluate("address => { location.hash = address; }", state)
    page.wait_for_selector("html[data-ready]")


def _ids(page: Page) -> list[str]:
    """Return the numbers of the questions in the list, in its order."""
    rows = page.locator("#rows .row .q").all_text_contents()
    places = page.locator("#rows li").evaluate_all("rows => rows.map(row => row.ariaPosInSet)")
    listed = sorted(zip(map(int, places), rows, strict=True))
    return [text.split(":")[0].removeprefix("Question ") for _, text in listed]


def _picture(element: Locator) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(element.screenshot())).convert("RGB"))


def test_the_report_opens_from_the_disk_with_scores(page: Page):
    """No server and no network is needed."""
    assert page.locator("#view-overview").is_visible()
    assert "VSI-Bench" in page.locator("#scores + .wide").inner_text()
    assert not page.locator("#view-items").is_visible()


def test_filters_leave_the_items_that_they_name(page: Page):
    """Wrong answers of the first run are 0, 4, 8; one of 11 failed."""
    _open(page, "#items")
    _expect_ids(page, [str(n) for n in range(12)])
    page.select_option("#run", "0")
    page.select_option("#outcome", "wrong")
    expect(page.locator("#status")).to_have_text("3 of 12 items")
    _expect_ids(page, ["0", "4", "8"])
    page.select_option("#category", "route_planning")
    expect(page.locator("#status")).to_have_text("1 of 12 items")
    _expect_ids(page, ["4"])
    page.keyboard.press("Escape")
    page.locator("#clear").click()
    expect(page.locator("#status")).to_have_text("12 items")


@pytest.mark.parametrize(
    ("flip", "expected"),
    [
        ("lost", ["1", "3", "5", "7", "9"]),
        ("gained", ["0", "4", "8"]),
        ("both", ["2", "6", "10"]),
        ("neither", []),
    ],
)
def test_flips_are_found_between_the_runs(page: Page, flip: str, expected: list[str]):
    """Right first: all but 0, 4, 8; right second: the even ones; item 11 failed and is left out."""
    _open(page, f"#items?flip={flip}")
    _expect_ids(page, expected)


def test_words_are_searched_in_questions_and_on_demand_in_whole_responses(page: Page):
    """A thought is found in full responses only."""
    _open(page, "#items")
    page.keyboard.press("/")
    page.keyboard.type('"question 7" first')
    expect(page.locator("#status")).to_have_text("1 of 12 items")
    _expect_ids(page, ["7"])
    _open(page, "#items?q=deep+thought+7")
    _expect_ids(page, [])
    _open(page, "#items?q=%22deep+thought+7%22&full=1")
    _expect_ids(page, ["7"])


@pytest.mark.parametrize("view", ["#overview", "#items"])
def test_what_is_typed_right_after_the_slash_is_searched(page: Page, view: str):
    """The search field has the focus before the next key can arrive, on every view."""
    page.evaluate("address => { location.hash = address; }", view)
    expect(page.locator(f"#view-{view[1:]}")).to_be_visible()
    press = "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: '/', bubbles: true}))"
    assert page.evaluate(f"{press}; document.activeElement.id") == "q"
    expect(page.locator("#status")).to_have_text("12 items")
    assert page.evaluate("document.activeElement.id") == "q"


def test_keys_move_through_the_items_and_back(page: Page):
    """j and k open the next and the previous item, Enter goes into it, Escape closes it."""
    _open(page, "#items")
    for key, at in zip("jjjk", (0, 1, 2, 1), strict=True):
        page.keyboard.press(key)
        expect(page.locator("#item h2")).to_have_text(f"vsibench/{at}")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "item"
    page.keyboard.press(".")
    assert page.locator(".stage .told").inner_text().startswith("1.30 s")
    page.keyboard.press("Escape")
    expect(page.locator("#item")).to_be_hidden()
    expect(page.locator("#rows .row").nth(1)).to_be_focused()
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()


def test_every_control_is_reached_by_tab_with_a_visible_focus(page: Page):
    """The search, the selects, rows and the buttons of an open item."""
    _open(page, "#items?item=vsibench/1")
    page.evaluate("document.activeElement.blur()")
    seen: set[str] = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            "() => { const at = document.activeElement; return ["
            "at.id || at.className || at.tagName, getComputedStyle(at).outlineStyle]; }"
        )
        if name == "BODY":  # the last one was before it
            break
        assert outline != "none", name
        seen.add(name)
    assert {"q", "full", "task", "category", "outcome", "run", "flip", "sort", "row"} <= seen


def test_a_link_opens_an_item_with_the_frames_that_each_run_saw(page: Page):
    """The pixels carry the number of the frame, in the order that was shown."""
    _open(page, "#items?task=vsibench&item=vsibench/4")
    page.wait_for_selector(".big image")
    for run, shown in (("ordered", SHOWN), ("shuffled", SHUFFLED)):
        page.get_by_role("button", name=run, exact=True).click()
        thumbs = page.locator(".strip button")
        assert thumbs.count() == len(shown)
        for place, index in enumerate(shown):
            thumbs.nth(place).click()
            assert number(_picture(page.locator(".big svg"))) == index
            assert number(_picture(thumbs.nth(place).locator("svg"))) == index
    assert page.locator(".stage .told").inner_text().startswith("3.90 s")


def test_an_item_shows_question_options_gold_and_every_answer(page: Page):
    """Of question 4 the gold answer is B; the first run said D, the second B."""
    _open(page, "#items?item=vsibench/4")
    page.wait_for_selector(".answer")
    options = page.locator(".options li").all_inner_texts()
    assert [text.split("\n")[0] for text in options] == ["A", "B", "C", "D"]
    assert "gold" in options[1]
    assert "shuffled" in options[1]
    assert "ordered" in options[3]
    first, second = page.locator(".answer").all_inner_texts()
    assert "wrong" in first
    assert "Answer read: D by video-r1@1" in first
    assert "Answer read: B by video-r1@1" in second
    assert "54 generated" in first
    assert "44 of them thought" in first
    assert page.locator(".answer details").first.get_attribute("open") is None
    page.locator(".answer summary").first.click()
    assert "Deep thought 4." in page.locator(".answer details pre").first.inner_text()


def test_hostile_texts_are_shown_as_text(page: Page):
    """Nothing of them becomes markup; what a page would hide is written out."""
    for at, text in enumerate(HOSTILE):
        _open(page, f"#items?item=vsibench/{at}")
        expect(page.locator("#item h2")).to_have_text(f"vsibench/{at}")
        shown = page.locator(".question").text_content() or ""
        marks = {"\x1b": "\\x1b", "\x07": "\\x07", "\x00": "\\x00"}
        marks |= {mark: f"\\u{ord(mark):04x}" for mark in "\u2028\u2029\u202e\u202c\u200b"}
        assert shown.endswith(text.translate(str.maketrans(marks)))
        assert page.locator("#item script, #item img").count() == 0


def test_a_failed_answer_says_why(page: Page):
    """It has a reason and no text."""
    _open(page, "#items?outcome=failed&item=vsibench/11")
    page.wait_for_selector(".failure")
    assert "Failed at generate: TimeoutError: <script>" in page.locator(".failure").inner_text()
    _expect_ids(page, ["11"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", ["#overview", "#compare", "#items?item=vsibench/4"])
def test_axe_finds_no_serious_accessibility_fault(page: Page, scheme: str, view: str):
    """Contrast, names, roles and the order of headings, in both colour schemes."""
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.evaluate("address => { location.hash = address; }", view)
    if view.startswith("#items"):
        page.wait_for_selector(".answer")
    found = Axe().run(page, options=AXE).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert [(one["id"], one["nodes"][0]["html"]) for one in serious] == []


@pytest.mark.parametrize("width", [400, 760, 1600])
@pytest.mark.parametrize("view", ["#overview", "#compare", "#items?item=vsibench/4"])
def test_no_view_is_wider_than_the_window(page: Page, width: int, view: str):
    """Only tables scroll, inside their frames."""
    page.set_viewport_size({"width": width, "height": 800})
    page.evaluate("address => { location.hash = address; }", view)
    page.wait_for_timeout(50)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_theme_can_be_switched(page: Page):
    """The button turns a light page dark, and back."""
    page.emulate_media(color_scheme="light")
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    page.locator("#theme").click()
    dark = page.evaluate(colour)
    page.locator("#theme").click()
    assert page.evaluate(colour) == light != dark
    page.evaluate("localStorage.clear()")


def test_frames_can_be_played_to_the_last_one(page: Page):
    """It stops by itself; the button then says that it can be played again."""
    _open(page, "#items?item=vsibench/1")
    page.get_by_role("button", name="Play").click()
    expect(page.locator(".stage .told strong")).to_have_text("3.90 s")
    expect(page.locator(".play")).to_have_text("Play")


def test_the_list_can_be_saved_as_a_table_that_no_spreadsheet_computes(page: Page):
    """What is shown is saved, one line per item."""
    _open(page, "#items?outcome=wrong&run=0")
    with page.expect_download() as download:
        page.locator("#csv").click()
    rows = list(csv.reader(download.value.path().read_text(encoding="utf-8").splitlines()))
    assert [row[0] for row in rows] == ["id", "vsibench/0", "vsibench/4", "vsibench/8"]
    assert rows[1][:4] == ["vsibench/0", "vsibench", "object_rel_direction_easy", "scene_0"]
    assert rows[1][6:10] == ["wrong", "0", "D", "50"]
    made = page.evaluate(
        "() => videor1.table.make({id: ['=1+1'], gold: ['@x'], question: ['-2'], outcomes: [],"
        " task: {names: ['a,b'], codes: [0]}, category: {names: ['c'], codes: [0]},"
        " cluster: {names: ['d'], codes: [0]}, runs: []}, [0])"
    )
    assert made.splitlines()[1] == "'=1+1,\"a,b\",c,d,'-2,'@x"


def test_the_report_of_an_evaluation_of_the_demo_shows_every_benchmark(
    tab: Page, demo_data: Path, tmp_path: Path
):
    """Four benchmarks in their own layouts, evaluated as always, with the frames of each item."""
    run, out = str(tmp_path / "run"), str(tmp_path / "out")
    words = ["--backend", "fake", "--data", str(demo_data), "--limit", "1", "--workers", "1"]
    assert main(["eval", "model", *words, "--out", run]) == 0
    assert main(["report", run, "-o", out, "--workers", "1"]) == 0
    tab.goto("about:blank")
    tab.goto(f"{(tmp_path / 'out' / 'index.html').as_uri()}#items")
    expect(tab.locator("#status")).to_have_text("4 items")
    for place in range(4):
        tab.keyboard.press("j")
        expect(tab.locator(".item-nav .place")).to_have_text(f"{place + 1} of 4")
        assert tab.locator(".strip button").count() > 0
        assert tab.locator(".frames .problem").count() == 0
        assert tab.locator(".question").inner_text()
        colours = _picture(tab.locator(".big svg")).reshape(-1, 3)
        assert colours.std(axis=0).max() > 1  # something is drawn
