"""What every benchmark's questions must be, whoever reads the files."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import DatasetError
from harness.run.selections import select
from tests.toys import ToyTask, sample


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([], "have no question"),
        ([sample(1), sample(1)], "two questions have the id 'toy/1'"),
        ([replace(sample(1), options=("x",) * 27)], "toy/1: field 'options': .*got 27"),
    ],
)
def test_questions_that_cannot_be_asked_are_refused(samples, message):
    """None, one id twice, more options than letters."""
    with pytest.raises(DatasetError, match=message):
        select(ToyTask(samples), Path(), "toy")
