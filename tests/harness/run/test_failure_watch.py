"""A failure that every request meets ends the run; others do not."""

import pytest

from harness.backends.base import EngineStats
from harness.errors import BackendError
from harness.run.failure_watch import LIMIT, FailureWatch
from harness.run.plan import Plan
from harness.run.runner import Runner
from harness.run.store import RunWriter, read_records
from harness.schema import Completion, Failure
from tests.harness.run.test_runner import FakePool, _samples
from tests.toys import planned

ANSWER = Completion(text="A", finish_reason="stop")


def failed(message="At most 0 videos may be given", error="BadRequestError"):
    return Failure(stage="generate", error=error, message=message)


def noted(*answers, answered=False):
    """Return how many answers were noted before the run ended, None where it did not."""
    watch = FailureWatch(answered=answered)
    for number, answer in enumerate(answers, start=1):
        try:
            watch.note(answer)
        except BackendError:
            return number
    return None


def test_equal_failures_from_the_start_end_the_run():
    """Numbers in the message may differ."""
    assert noted(*(failed(f"0 videos, request {n}") for n in range(99))) == LIMIT


@pytest.mark.parametrize(
    "answers",
    [
        [ANSWER, *[failed()] * 99],  # one was answered
        [failed("a"), failed("b")] * 50,  # not equal
        [failed("maximum context length is 10 tokens")] * 99,  # the largest come first
        [*[failed()] * 19, ANSWER] * 5,
    ],
)
def test_other_failures_do_not(answers):
    """They cost themselves only."""
    assert noted(*answers) is None


def test_a_server_that_only_fails_ends_the_run_also_after_answers():
    """Twice as many failures as from the start."""
    broken = failed("the connection broke", "BrokenConnectionError")
    assert noted(ANSWER, *[broken] * 99) == 1 + 2 * LIMIT


def test_a_resumed_run_may_fail_again_at_the_same_items():
    """What is left of a run that has answers can be bad items only."""
    assert noted(*[failed()] * 99, answered=True) is None


def test_what_failed_before_the_end_is_recorded(tmp_path):
    """The error has the server's words; the items are asked again by the next run."""

    class Refusing:
        name = "refusing"

        def generate(self, requests):
            return ((request, failed()) for request in requests)

        def stats(self):
            return EngineStats()

        def close(self):
            pass

    with RunWriter(tmp_path, {"schema": 1}) as run:
        runner = Runner(Plan((planned(_samples(60)),)), run, lambda record: None, patch_multiple=28)
        with pytest.raises(BackendError, match=r"20 equal failures .* At most 0 videos"):
            runner.run(Refusing(), FakePool())
    assert len(read_records(tmp_path)) == LIMIT
