"""Links the scores of a board to the items of a report of `videor1 report`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from harness.errors import DatasetError, UsageError
from harness.files import read_json
from harness.scoring.tags import task_of_column
from harness.text.stored import storable

RUN_LIST = Path("data", "runs.json")
"""File of a report that names its runs, relative to the report, in the order of its pages."""


@dataclass(frozen=True, slots=True)
class ReportLinks:
    """Addresses of the items of runs in a report, as a page in some folder writes them."""

    page: str
    """Address of the report's page."""
    positions: Mapping[str, int]
    """Number of a run in the report, by its real path."""

    def link(self, run: str, column: str) -> str:
        """Return the address of a run's items of a task; empty where the report lacks the run."""
        position = self.positions.get(storable(os.path.realpath(run)))
        if position is None:
            return ""
        return f"{self.page}#items?task={quote(task_of_column(column), safe='')}&run={position}"


def read_report_links(report: Path, beside: Path) -> ReportLinks:
    """Return the links into a report for a page that is written into the folder `beside`.

    Raises:
        UsageError: The folder is no report, or one of before reports named their runs.
    """
    path = report / RUN_LIST
    if not path.is_file():
        raise UsageError(
            f"{report}: not a report that a board can link to (no {RUN_LIST}); expected a folder"
            " that `videor1 report` wrote"
        )
    runs = read_json(path).get("runs")
    if not isinstance(runs, list) or not all(isinstance(run, str) for run in runs):
        raise DatasetError(f"{path}: field 'runs': expected a list of texts, got {runs!r:.80}")
    place = os.path.realpath(report)
    positions = {os.path.realpath(Path(place, run)): number for number, run in enumerate(runs)}
    page = os.path.relpath(report / "index.html", beside)
    return ReportLinks(quote(page), positions)
