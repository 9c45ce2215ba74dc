"""The clips and the comparison that the tests of reports share."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.report.build import build_report
from tests.harness.report.examples import (
    ONE,
    write_clips,
    write_pair,
)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with the clips of all questions."""
    return write_clips(tmp_path_factory.mktemp("clips") / "data")


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory, clips: Path) -> Path:
    """The report of two runs."""
    folder = tmp_path_factory.mktemp("pair")
    return build_report(write_pair(folder, clips), folder / "out", ONE).page.parent
