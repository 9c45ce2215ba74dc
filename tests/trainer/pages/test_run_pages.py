"""The pages of a training run: curves, times, scores, and completions with their frames."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("axe_playwright_python", reason="needs the core environment: axe is missing")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from harness.cli.exits import Exit
from tests.browser import open_browser, quiet
from tests.trainer.commands import run
from tests.trainer.rows import IMAGE, VIDEO, write_media
from trainer.cli.train import TrainCommand
from trainer.pages.curves import make_curves
from trainer.watch.timeline import Timeline

HOSTILE = "<script>window.hurt = 1</script><img src=x onerror='window.hurt = 2'>"
AXE = {"resultTypes": ["violations"], "preload": False}
MANIFEST = {
    "algorithm": "tgrpo",
    "recipe": {"model": {"checkpoint": "org/model"}, "frames": {"max_frames": 4}},
}


def _completion(text, accuracy, **more):
    return {
        "text": text, "tokens": 3, "truncated": False, "rewards": {"accuracy": accuracy}, **more,
    }  # fmt: skip


def _group(step, name, media, **more):
    ordered = [
        _completion(HOSTILE, 1.0, reward=1.5, advantage=0.7),
        _completion("no", None, reward=0.5, advantage=-0.7),
    ]
    return {
        "step": step, "id": name, "kind": "OCR", "question": f"What? {HOSTILE}", "media": media,
        "gold": HOSTILE, "failure": None, "ordered": ordered, "shuffled": [_completion("hm", 0.0)],
        **more,
    }  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 30 updates, watched once; a video, an image, a file that is gone, a failed group."""
    root = tmp_path_factory.mktemp("runs")
    media = write_media(root / "media")
    (root / "mine").mkdir()
    (root / "mine/train.json").write_text(json.dumps(MANIFEST))
    lines = [
        {
            "step": step, "loss": 1 / step, "reward": step / 30, "kl": None, "odd/metric": 3.0,
            "time/update": 2.0, "time/rollout": 1.5, "time/policy": 0.5, "tokens_per_second": 80.0,
        }
        for step in range(1, 31)
    ]  # fmt: skip
    (root / "mine/metrics.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in lines))
    groups = [
        group
        for step in range(1, 31)
        for group in (
            _group(step, "rows/1", [str(media / VIDEO)]),
            _group(step, HOSTILE, [str(media / IMAGE)]),
            _group(step, "rows/3", ["gone.mp4"], failure="it is gone", ordered=[], shuffled=[]),
        )
    ]
    text = "".join(f"{json.dumps(one)}\n" for one in groups)
    (root / "mine/completions.jsonl").write_text(text)
    (root / "watch").mkdir()
    (root / "watch/watch.json").write_text(json.dumps({"run": str(root / "mine")}))
    score = {"score": 41.2, "ci95": [38.0, 44.5], "n": 128}
    point = {"step": 30, "checkpoint": "c", "weights": "w", "scores": {"vsibench": score}}
    (root / "watch/step-000030.json").write_text(json.dumps(point))
    return root


def _show(*flags):
    return run(TrainCommand(), "show", *flags)


@pytest.fixture(scope="module")
def pages(folder: Path) -> Path:
    result = _show(folder / "mine", "--html", folder / "pages", "--pages", "5")
    assert result.code is Exit.OK
    return folder / "pages"


@pytest.fixture(scope="module")
def tab(pages: Path) -> Iterator[Page]:
    with open_browser() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        with quiet(page):
            page.goto((pages / "index.html").as_uri())
            yield page


def test_the_page_has_curves_times_and_scores(pages):
    """Numbers as in the files."""
    text = (pages / "index.html").read_text()
    assert "tgrpo from org/model: 30 updates" in text
    assert "reward from step 1 to 30: between 0.0333 and 1, at last 1" in text
    assert "<td>vsibench</td>" in text
    assert "38.0 to 44.5" in text
    assert "Means over 30 updates" in text
    assert "80 tokens per second; MFU is not known" in text
    assert text.count("<summary>Other metrics") == 1


def test_so_many_steps_as_asked_for_have_a_page(pages, folder):
    """Evenly spaced; or one that is named, or one row."""
    names = sorted(path.stem for path in (pages / "steps").iterdir())
    assert names == [f"step-{step:06d}" for step in (1, 7, 13, 19, 25)]
    _show(folder / "mine", "--html", folder / "one", "--step", "2", "--id", "rows/1")
    assert [path.stem for path in (folder / "one/steps").iterdir()] == ["step-000002"]
    assert "rows/3" not in (folder / "one/steps/step-000002.html").read_text()


def test_a_run_without_completions_has_curves(folder):
    """SFT writes none."""
    sft = folder / "sft"
    sft.mkdir()
    (sft / "train.json").write_text(json.dumps({**MANIFEST, "algorithm": "sft"}))
    (sft / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0}\n')
    assert _show(sft, "--html", folder / "sft-page").code is Exit.OK
    text = (folder / "sft-page/index.html").read_text()
    assert "Completions" not in text
    assert "Times" not in text
    assert "loss from step 1 to 1" in text


def test_what_is_no_run_is_refused(folder):
    """With the folder's name."""
    result = _show(folder / "media", "--html", folder / "none")
    assert result.code is Exit.USAGE
    assert "not a training run" in result.reason


def test_long_curves_have_a_bounded_number_of_points():
    """10,000 updates are a page as small as one of 300."""
    lines = [{"step": step, "reward": 0.5} for step in range(1, 10_001)]
    (curve,) = make_curves(Timeline(name="r", points=(), metrics=lines))
    assert len(curve.raw.split()) <= 300


@pytest.mark.slow
def test_the_pages_are_accessible_light_and_dark(tab, pages):
    """Axe finds nothing on the first page and on a step's."""
    for page in ("index.html", "steps/step-000007.html"):
        tab.goto((pages / page).as_uri())
        for scheme in ("light", "dark"):
            tab.emulate_media(color_scheme=scheme)
            found = Axe().run(tab, options=AXE).response["violations"]
            assert [(one["id"], [n["html"] for n in one["nodes"]][:2]) for one in found] == []


@pytest.mark.slow
def test_a_step_shows_frames_completions_and_rewards(tab, pages):
    """Every text stays a text; a file that is gone is told."""
    tab.goto((pages / "steps/step-000007.html").as_uri())
    for picture in tab.locator(".frames img").all():
        picture.scroll_into_view_if_needed()
        tab.wait_for_function("one => one.complete", arg=picture.element_handle())
    sizes = tab.locator(".frames img").evaluate_all("all => all.map(one => one.naturalWidth)")
    assert len(sizes) == 2
    assert all(sizes)
    first, second, third = tab.locator("article.row").all_inner_texts()
    assert HOSTILE in first
    assert "4 frames at 0.0" in first
    assert "left out: it is gone" in third
    assert "gone.mp4: no frames" in third
    assert HOSTILE in second
    assert tab.locator("main script").count() == 0
    tab.get_by_role("link", name="Step after").click()
    assert tab.locator("h1").inner_text() == "Step 13"


@pytest.mark.slow
def test_the_pages_fit_a_narrow_screen(tab, pages):
    """Tables scroll in themselves."""
    tab.set_viewport_size({"width": 400, "height": 800})
    for page in ("index.html", "steps/step-000007.html"):
        tab.goto((pages / page).as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") <= 400
