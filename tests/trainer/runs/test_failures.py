"""What a training that ends in a library's exception says."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from harness.cli.exits import Exit
from harness.cli.faults import result_of
from harness.errors import HarnessError, UsageError
from tests.trainer.fake_runs import save
from trainer.runs.failures import TrainingFault, explain, explained_setup
from trainer.runs.step_lines import without_nan


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (RuntimeError("unexpected pos 64 vs 0"), Exit.INCOMPLETE, "not all of a file"),
        (OSError(28, "No space left on device"), Exit.INCOMPLETE, "not all of a file"),
        (RuntimeError("CUDA out of memory. Tried"), Exit.INCOMPLETE, "out of memory in update 11"),
        (MemoryError(), Exit.INCOMPLETE, "out of memory in update 11 (MemoryError)"),
        (
            RuntimeError("probability tensor contains either `inf`, `nan` or element < 0"),
            Exit.INCOMPLETE,
            "no finite probabilities in update 11",
        ),
        (StopIteration(), Exit.FAULT, "StopIteration in update 11"),
        (TypeError("odd"), Exit.FAULT, "TypeError in update 11"),
    ],
)
def test_an_exception_is_named_with_update_and_newest_checkpoint(tmp_path, error, code, words):
    """What the machine lacks is exit 4, an unexpected one 70; neither is 1."""
    newest = save(tmp_path, 10)
    explained = explain(error, 10, tmp_path)
    assert words in str(explained)
    assert f"the newest checkpoint is {newest}" in str(explained)
    assert isinstance(explained, HarnessError) == (code is Exit.INCOMPLETE)
    assert result_of(explained).code is code


def test_a_checkpoint_that_was_being_written_is_named(tmp_path):
    """The one before it is the newest."""
    save(tmp_path, 10)
    save(tmp_path, 20, state=False)
    text = str(explain(RuntimeError("unexpected pos 64 vs 0"), 20, tmp_path))
    assert "while checkpoint-20 was written" in text
    assert "checkpoint-10" in text


def test_what_a_library_refuses_before_the_first_update_is_a_usage_error():
    """The library is named; a mistake of this project's own goes on as it is."""
    with pytest.raises(UsageError, match="rich refuses the recipe: "), explained_setup():
        Console(width="wide").print("x")
    with pytest.raises(ValueError, match="ours"), explained_setup():
        raise ValueError("ours")
    with pytest.raises(TrainingFault), explained_setup():
        raise explain(ValueError("x"), 0, Path("nowhere"))


def test_numbers_that_are_not_finite_become_null():
    """NaN is no JSON."""
    values = {"a": float("nan"), "b": float("inf"), "c": 1.5, "d": None, "e": 3, "f": "x"}
    kept = without_nan(values)
    assert kept == {"a": None, "b": None, "c": 1.5, "d": None, "e": 3, "f": "x"}
    json.dumps(kept, allow_nan=False)
