"""Builds a report from run directories: reads, decodes, computes and writes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.board.report_links import RUN_LIST
from harness.files import write_json
from harness.report.answers import read_answers
from harness.report.config import ReportConfig
from harness.report.details import DetailWriter
from harness.report.folder import FRAMES, make_place
from harness.report.frames import Videos
from harness.report.items import list_items, write_index
from harness.report.overview import Overview, make_overview
from harness.report.page import write_page
from harness.report.questions import read_questions
from harness.report.runs import RunSource, find_probes, find_runs
from harness.report.sprites import SpriteBook

DATA = "data"
"""Folder of what the scripts load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a report holds."""

    page: Path
    overview: Overview
    frame_bytes: int
    """Size of the pictures of frames."""


def build_report(
    folders: Iterable[Path],
    out: Path,
    config: ReportConfig,
    say: Callable[[str], None] = lambda text: None,
) -> Built:
    """Write a report of one or more runs into a folder.

    Args:
        folders: Run directories, or folders that hold some.
        out: The folder of the report; one that holds an older report is replaced.
        config: What it shows.
        say: Called with what is being done, before each longer step.

    Raises:
        UsageError: A folder is no run, or `out` holds other files.
        DatasetError: A file of a run is malformed.
    """
    named = list(folders)
    sources = find_runs(named)
    make_place(out, DATA, FRAMES)
    say(f"reading {len(sources)} run" + ("s" if len(sources) > 1 else ""))
    runs = [read_answers(source) for source in sources]
    questions = read_questions(runs)
    videos = Videos(config)
    videos.collect(runs, questions)
    book = SpriteBook(out / FRAMES, config.frames_budget * 1_000_000)
    say("decoding frames")
    videos.draw(book, say)
    items = list_items(runs, questions.shared)
    say(f"writing {len(items)} items")
    blocks = DetailWriter(out / DATA, runs, questions, videos).write(items)
    write_index(out / DATA, items, runs, questions.shared, blocks)
    _write_run_list(out, sources)
    overview = make_overview(runs, find_probes(named), videos, questions.notes, len(items))
    write_page(out, overview)
    return Built(page=out / "index.html", overview=overview, frame_bytes=book.bytes)


def _write_run_list(out: Path, sources: Iterable[RunSource]) -> None:
    """Write which runs the report has, in its order, for boards that link to it."""
    place = os.path.realpath(out)
    runs = [os.path.relpath(os.path.realpath(source.folder), place) for source in sources]
    write_json(out / RUN_LIST, {"runs": runs})
