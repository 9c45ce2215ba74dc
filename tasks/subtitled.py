"""Make the form of a benchmark that is asked with subtitles from the one without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness.errors import DatasetError
from harness.schema import Sample
from harness.task.api import Questions

SUBTITLES = "subtitles"
"""Field of a sample's source: the path of its subtitle file. Also a part of its id."""


def add_subtitles(
    questions: Questions, task: str, find: Callable[[Sample], Path | None]
) -> Questions:
    """Return the questions under the name of another task, each with its subtitle file.

    Args:
        questions: Those of the benchmark without subtitles.
        task: Name of the form with subtitles.
        find: Returns the subtitle file of a sample; None where its video has none.

    Returns:
        Samples with ids of their own. The subtitles are among the question files, so that a run
        is not resumed with others.
    """
    found = {sample.id: find(sample) for sample in questions.samples}
    files = dict.fromkeys(path for path in found.values() if path is not None)
    samples = tuple(_with_file(sample, task, found[sample.id]) for sample in questions.samples)
    return replace(questions, samples=samples, files=(*questions.files, *files))


def require_subtitles(path: Path, task: str) -> Path:
    """Return the path of a subtitle file; raise `DatasetError` if there is no such file."""
    if not path.is_file():
        raise DatasetError(
            f"{path}: no such file; `videor1 data fetch {task}` unpacks the subtitles"
        )
    return path


def subtitles_of(sample: Sample) -> Path:
    """Return the subtitle file of a sample that has one in its `SUBTITLES`."""
    return Path(sample.source[SUBTITLES])


def _with_file(sample: Sample, task: str, path: Path | None) -> Sample:
    return replace(
        sample,
        id=sample.id.replace("/", f"/{SUBTITLES}/", 1),
        task=task,
        source=dict(sample.source) | ({} if path is None else {SUBTITLES: str(path)}),
    )
