"""Measures a report of 20,000 items of two runs: building it, opening it, filtering it.

Run with ``python -m tests.bench.bench_report``. The runs are invented: 5,000 videos, four questions
each, texts as long as a reasoning model's. There are no frames: decoding depends on the videos.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from playwright.sync_api import Page

from harness.report.build import build_report
from harness.report.config import FrameChoice, ReportConfig
from harness.run.samples_file import StoredSample
from harness.schema import Outcome, Record
from tests.browser import open_browser
from tests.harness.report.examples import PER_VIDEO, manifest_of, record_of, sample_of

WORDS = (
    "the red cup is left of the chair when the camera turns so the person walks first to the door",
    "and then picks up a box",
    "wait let me look at the frames again",
    "between four and six seconds",
)
FILTERS = (
    "#items?task=vsibench", "#items?category=route_planning", "#items?outcome=wrong&run=0",
    "#items?flip=lost", "#items?flip=differ&category=object_rel_direction_easy",
    "#items?q=question+1234", "#items?q=first", "#items?sort=tokens", "#items",
)  # fmt: skip


def main() -> int:
    """Print what was measured as lines of text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--characters", type=int, default=1_500, help="length of a thought")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs = [
            write_big_run(folder / label, args.items, args.characters, seed)
            for seed, label in enumerate(("first", "second"))
        ]
        size = sum(path.stat().st_size for run in runs for path in run.iterdir())
        before = peak_mb()
        began, worked = time.perf_counter(), time.process_time()
        built = build_report(runs, folder / "out", ReportConfig(frames=FrameChoice.NONE))
        took, worked = time.perf_counter() - began, time.process_time() - worked
        written = sum(path.stat().st_size for path in built.page.parent.rglob("*.*"))
        say(f"{args.items} items x 2 runs, {size / 1e6:.0f} MB of run files")
        say(f"built in {took:.1f} s, {worked:.1f} s of processor time")
        say(f"{written / 1e6:.0f} MB written")
        say(f"peak memory {peak_mb():.0f} MB, {before:.0f} MB of it before the build")
        measure_pages(built.page)
    return 0


def measure_pages(page: Path) -> None:
    """Open the report a few times, then apply filters; print seconds and milliseconds."""
    with open_browser() as browser:
        paints = []
        for _ in range(5):
            tab = browser.new_page(viewport={"width": 1280, "height": 900})
            tab.goto(page.as_uri())
            paints.append(first_paint(tab))
            tab.close()
        say(f"first paint of the overview {statistics.median(paints):.0f} ms (median of 5)")
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        began = time.perf_counter()
        tab.goto(f"{page.as_uri()}#items")
        tab.wait_for_selector("html[data-ready]")
        say(f"list of items ready after {1000 * (time.perf_counter() - began):.0f} ms")
        follow(tab, "#items?q=warm")  # loads the search texts, once
        for state in FILTERS:
            say(f"{follow(tab, state):6.0f} ms  {state}")


def first_paint(tab: Page) -> float:
    """Return milliseconds from the start of the navigation to the first content."""
    for _ in range(100):
        found = tab.evaluate(
            "performance.getEntriesByName('first-contentful-paint').map(one => one.startTime)"
        )
        if found:
            return float(found[0])
        tab.wait_for_timeout(20)
    raise TimeoutError("the page was never painted")


def follow(tab: Page, state: str) -> float:
    """Return milliseconds from a change of the address to the list that shows it, drawn."""
    return float(
        tab.evaluate(
            """async state => {
                const root = document.documentElement;
                delete root.dataset.ready;
                const began = performance.now();
                location.hash = state;
                while (!root.dataset.ready) await new Promise(requestAnimationFrame);
                await new Promise(requestAnimationFrame);
                return performance.now() - began;
            }""",
            state,
        )
    )


def write_big_run(folder: Path, items: int, characters: int, seed: int) -> Path:
    """Write a run directory of many items, one line at a time."""
    folder.mkdir()
    generator = random.Random(seed)
    manifest = manifest_of(None, model=folder.name)
    manifest["data"]["vsibench"]["items"] = items
    (folder / "run.json").write_text(json.dumps(manifest))
    with (folder / "samples.jsonl").open("w") as file:
        for sample in _samples(items):
            file.write(json.dumps(asdict(sample)) + "\n")
    with (folder / "records-0.jsonl").open("w") as file:
        for number in generator.sample(range(items), items):
            file.write(json.dumps(asdict(_record(number, characters, generator))) + "\n")
    return folder


def _samples(items: int) -> Iterator[StoredSample]:
    for number in range(items):
        sample = sample_of(number % PER_VIDEO)
        yield replace(
            sample,
            id=f"vsibench/{number}",
            question=f"Question {number}: which of the two things in the room comes first? " * 3,
            cluster=f"scene_{number // 4}",
            prompt="x" * 900,
        )


def _record(number: int, characters: int, generator: random.Random) -> Record:
    right = generator.random() < 0.6
    asked = sample_of(number % PER_VIDEO)
    record = record_of(number % PER_VIDEO, asked.gold if right else "D")
    parts = generator.choices(WORDS, k=characters // 45)
    return replace(
        record,
        id=f"vsibench/{number}",
        cluster=f"scene_{number // 4}",
        outcome=Outcome.CORRECT if right else Outcome.WRONG,
        value=float(right),
        reasoning=". ".join(parts),
        output_tokens=10 * len(parts),
    )


def peak_mb() -> float:
    """Return the most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
