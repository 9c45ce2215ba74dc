"""The HTML board in a browser, opened from the disk: filter, sorting, headings, links."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from harness.cli import main
from tests.browser import open_browser, quiet
from tests.faults.hostile import HOSTILE
from tests.harness.board.board_runs import write_task_runs

pytestmark = pytest.mark.slow
AXE = {"resultTypes": ["violations"], "preload": False}
ATTACK = "<img src=x onerror='window.hurt = 1'></script><script>window.hurt = 2</script>"


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty rows in two blocks, some of hostile names, beside a report of two of the runs."""
    folder = tmp_path_factory.mktemp("board")
    runs = []
    for number in range(38):
        right = [1.0] * (number % 19) + [0.0] * (19 - number % 19)
        frames = 16 if number < 20 else 32
        tasks = {"vsibench": right, "mvbench": right, "tempcompass": right}
        name = f"model-{number:02}"
        run = folder / "runs" / name
        runs.append(write_task_runs(run, name, tasks, changes={"max_frames": frames}))
    for number, name in enumerate((ATTACK, HOSTILE)):
        runs.append(write_task_runs(folder / "runs" / f"x{number}", name, {"mvbench": [1.0] * 19}))
    (folder / "report" / "data").mkdir(parents=True)
    listed = {"runs": ["../runs/model-03", "../runs/model-01"]}
    (folder / "report" / "data" / "runs.json").write_text(json.dumps(listed))
    (folder / "report" / "index.html").write_text("<!doctype html><title>report</title>")
    words = ["board", *map(str, runs), "--by", "--published", "--format", "html"]
    assert main([*words, "-o", str(folder / "board.html")]) == 0
    return folder / "board.html"


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    """A page that the tests of this file share."""
    with open_browser() as browser:
        page = browser.new_page()
        page.set_default_timeout(10_000)
        yield page


@pytest.fixture
def page(tab: Page, board: Path) -> Iterator[Page]:
    """The board; the test fails on a console message, an error, or a request to a network."""
    with quiet(tab):
        tab.set_viewport_size({"width": 1000, "height": 700})
        tab.goto("about:blank")
        tab.goto(board.as_uri())
        yield tab


def _models(page: Page) -> list[str]:
    rows = page.locator("tbody.block").first.locator("tr:visible td:first-child")
    return rows.all_text_contents()


def test_the_filter_keeps_the_rows_that_have_all_words(page: Page, board: Path):
    """Its words are part of the address, so that a filtered table can be sent to somebody."""
    page.fill("#filter", "model-0 16")
    expect(page.locator("#shown")).to_contain_text("10 of ")
    assert sorted(_models(page)) == [f"model-{n:02}" for n in range(10)]
    page.goto("about:blank")
    page.goto(f"{board.as_uri()}#filter=MODEL-07")
    expect(page.locator("#shown")).to_contain_text("1 of ")
    page.fill("#filter", "no such row")
    expect(page.locator("#shown")).to_contain_text("0 of ")
    page.fill("#filter", "")
    expect(page.locator("#shown")).to_have_text("")


def test_headings_sort_by_mouse_and_keyboard_within_blocks(page: Page):
    """The best first, a second time the worst; rows without a score last; blocks stay apart."""
    button = page.locator("thead").first.get_by_role("button", name="VSI-Bench")
    button.click()
    assert _models(page)[0] == "model-18"
    button.press("Enter")
    assert _models(page)[19] == "model-18"
    blocks = page.locator("table").first.locator("tbody.block")
    assert "model-18" not in blocks.nth(1).all_text_contents()[0]


def test_headings_and_names_stay_in_view(page: Page):
    """However far a reader scrolls, down or to the side."""
    page.set_viewport_size({"width": 420, "height": 500})
    wide = page.locator(".wide").first
    wide.evaluate("one => { one.scrollTop = 600; one.scrollLeft = 300; }")
    box, head = wide.bounding_box(), page.locator("thead th").first.bounding_box()
    assert box is not None
    assert head is not None
    assert abs(head["y"] - box["y"]) < 3
    assert abs(head["x"] - box["x"]) < 3
    assert head["width"] >= 80


def test_scores_link_to_the_items_in_the_report_beside_the_page(page: Page):
    """By the number of the run in the report; runs that it lacks have no link."""
    links = page.locator("table").first.locator("tbody a")
    found = set(links.evaluate_all("all => all.map(one => one.getAttribute('href'))"))
    assert found == {
        f"report/index.html#items?task={task}&run={run}"
        for task in ("vsibench", "mvbench", "tempcompass") for run in (0, 1)
    }  # fmt: skip
    row = page.locator("tbody tr", has_text="model-01").first
    assert "run=1" in str(row.locator("a").first.get_attribute("href"))
    row.locator("a").first.click()
    expect(page).to_have_title("report")


def test_hostile_names_are_seen_as_text(page: Page):
    """In cells and notes; none of them does anything."""
    texts = page.locator("table").first.inner_text()
    assert "<img src=x onerror=" in texts
    assert "\\x1b]0;pwn" in texts


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_has_no_serious_accessibility_fault(page: Page, scheme):
    """Names, contrast, headings: axe finds nothing serious in either scheme."""
    page.emulate_media(color_scheme=scheme)
    found = Axe().run(page, options=AXE).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in serious] == []
