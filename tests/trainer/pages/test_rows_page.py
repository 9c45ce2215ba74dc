"""The page of a check of rows: in a browser, from the disk, with frames and without scripts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("axe_playwright_python", reason="needs the core environment: axe is missing")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from harness.cli.exits import Exit
from tests.browser import open_browser, quiet
from tests.trainer.commands import run
from tests.trainer.rows import IMAGE, make_row, write_media, write_rows
from trainer.cli.train import TrainCommand

pytestmark = pytest.mark.slow
HOSTILE = "<script>window.hurt = 1</script><img src=x onerror='window.hurt = 2'>"
AXE = {"resultTypes": ["violations"], "preload": False}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Six rows, two of them with faults, texts of which are hostile."""
    folder = tmp_path_factory.mktemp("rows")
    write_media(folder)
    rows = [
        make_row(0, problem=HOSTILE, options=[HOSTILE, "B"]),
        make_row(1, problem_type="numerical", solution="<answer>7</answer>", options=None),
        make_row(2, path=IMAGE, data_type="image"),
        make_row(3, problem_id=HOSTILE, solution=HOSTILE),
        make_row(4, path="./clips/gone.mp4", process=HOSTILE),
        make_row(5, path=None, data_type=None),
    ]
    path = write_rows(folder / "rows.jsonl", rows)
    result = run(TrainCommand(), "check", path, "--html", folder / "page", "--workers", "1")
    assert result.code is Exit.USAGE
    with open_browser() as browser:
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        with quiet(tab):
            tab.goto((folder / "page/index.html").as_uri())
            yield tab


def test_the_page_shows_faults_and_frames(page: Page):
    """Every sampled medium that can be decoded has its picture; a faulty row says why."""
    assert page.locator("article.row").count() == 6
    assert page.locator("article.faulty").count() == 2
    for picture in page.locator(".frames img").all():
        picture.scroll_into_view_if_needed()
        page.wait_for_function("one => one.complete", arg=picture.element_handle())
    sizes = page.locator(".frames img").evaluate_all("all => all.map(one => one.naturalWidth)")
    assert len(sizes) == 4
    assert all(sizes)
    assert "gone.mp4 is in none of" in page.locator("#faults ~ details").all_inner_texts()[1]


def test_texts_of_rows_stay_texts(page: Page):
    """Nothing of them becomes an element of the page."""
    assert page.locator("main script").count() == 0
    assert HOSTILE in page.locator("article.row").first.inner_text()


def test_the_page_is_accessible(page: Page):
    """Light and dark, axe finds nothing."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page, options=AXE).response["violations"]
        assert [(one["id"], [n["html"] for n in one["nodes"]][:2]) for one in found] == []


def test_the_page_fits_a_narrow_screen(page: Page):
    """Nothing but tables is wider than a phone."""
    page.set_viewport_size({"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_the_page_is_small(page: Page):
    """Without its pictures."""
    assert len(Path(page.url.removeprefix("file://")).read_bytes()) < 40_000
