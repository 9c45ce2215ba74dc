"""Put the report of a shortcut experiment into the page that describes it.

    python -m trainer.miniature.shortcut.page results/runs/shortcut docs/shortcut.md

The part of the page between its two marks is replaced; the curves are copied beside the page, as
``shortcut.png`` beside ``shortcut.md``.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from harness.board.markdown import to_markdown
from harness.errors import UsageError
from harness.files import read_json, write_text
from trainer.miniature.report import CURVES, MARKDOWN
from trainer.miniature.shortcut.report import TIMES, time_table
from trainer.miniature.shortcut.times import UpdateTime

BEGIN, END = "<!-- results: begin -->\n", "<!-- results: end -->\n"


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("experiment", type=Path)
    parser.add_argument("page", type=Path)
    args = parser.parse_args()
    fill_page(args.experiment, args.page)
    return 0


def fill_page(experiment: Path, page: Path) -> None:
    """Replace the results in `page` by those of a finished experiment.

    Raises:
        UsageError: The page has not both marks, each on a line of its own.
    """
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise UsageError(f"{page}: expected the lines {BEGIN.strip()} and {END.strip()}")
    times = tuple(UpdateTime(**one) for one in read_json(experiment / TIMES).values())
    report = (experiment / MARKDOWN).read_text(encoding="utf-8")
    figure = page.with_suffix(".png")
    shutil.copyfile(experiment / CURVES, figure)
    report = report.replace(f"({CURVES})", f"({figure.name})")
    parts = (before, begin, "\n", report, "\n", to_markdown([time_table(times)]), "\n", end, after)
    write_text(page, "".join(parts))


if __name__ == "__main__":
    sys.exit(main())
