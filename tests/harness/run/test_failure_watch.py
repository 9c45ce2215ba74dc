"""A failure that every item meets ends the run, and so does a budget that cannot be kept."""

import threading
from dataclasses import replace

import pytest

from harness.backends.base import EngineStats
from harness.errors import TooManyFailuresError
from harness.run.config import FailureBudget
from harness.run.failure_watch import FailureLimits, FailureWatch
from harness.run.observer import RunObserver
from harness.run.plan import Plan
from harness.run.runner import Runner
from harness.run.store import RunWriter, read_records
from harness.schema import Failure, Outcome
from tests.harness.run.test_runner import FakePool, _samples
from tests.toys import planned, record

ANSWER = record(0)
LIMIT = FailureLimits().stop_after


def failure(message="At most 0 videos may be given", error="BadRequestError", stage="generate"):
    return Failure(stage=stage, error=error, message=message)


def failed(*args, **fields):
    return replace(
        ANSWER, outcome=Outcome.FAILED, value=None, text=None, failure=failure(*args, **fields)
    )


def noted(*records, answered=False, limits=None, items=1000, media=None):
    """Return how many records were noted before the run ended, None where it did not."""
    watch = FailureWatch(limits or FailureLimits(), items=items, answered=answered)
    for number, one in enumerate(records, start=1):
        try:
            watch.note(one, media or number)
        except TooManyFailuresError:
            return number
    return None


def test_equal_failures_from_the_start_end_the_run():
    """Twenty, or as many as `--stop-after-failures` says."""
    assert noted(*[failed()] * 99) == LIMIT == 20
    assert noted(*[failed()] * 99, limits=FailureLimits(stop_after=3)) == 3
    assert noted(*[failed()] * 99, limits=FailureLimits(stop_after=0)) is None


def test_a_request_that_was_sent_again_fails_like_the_others():
    """The client adds its attempts to the message."""
    again = failed("At most 0 videos may be given (2 attempts)")
    assert noted(*[failed()] * 10, again, *[failed()] * 99) == LIMIT


@pytest.mark.parametrize(
    "message",
    [
        "0 videos, request {n}",
        "request chatcmpl-9f{n}ab: no",
        "/data/videos/v{n}.mp4: cannot be sent",
        "see https://host/errors/{n}",
        "item mvbench/state_change/{n} is refused",
        "video token is not supported, id {n}",
    ],
)
def test_equal_failures_may_differ_in_numbers_paths_and_ids(message):
    """What names one item says nothing about the fault."""
    assert noted(*(failed(message.format(n=n)) for n in range(99))) == LIMIT


@pytest.mark.parametrize(
    "records",
    [
        [ANSWER, *[failed()] * 99],  # one was answered
        [failed("a"), failed("b")] * 50,  # not equal
        [failed("maximum context length is 10 tokens")] * 99,  # the largest come first
        [failed("the request is too long")] * 99,
        [*[failed()] * 19, ANSWER] * 5,
    ],
)
def test_other_failures_do_not(records):
    """They cost themselves only."""
    assert noted(*records) is None


def test_videos_that_cannot_be_decoded_end_the_run_too():
    """A damaged video counts once, however many questions it has."""
    lost = [failed(f"v/{n}.mp4: permission denied", "E", "media") for n in range(99)]
    assert noted(*lost) == LIMIT
    assert noted(*[failed("v/1.mp4: damaged", "E", "media")] * 99, media="v/1.mp4") is None


def test_a_server_that_only_fails_ends_the_run_also_after_answers():
    """Twice as many failures as from the start."""
    broken = failed("the connection broke", "BrokenConnectionError")
    assert noted(ANSWER, *[broken] * 99) == 1 + 2 * LIMIT


def test_a_resumed_run_may_fail_again_at_the_same_items():
    """What is left of a run that has answers can be bad items only."""
    assert noted(*[failed()] * 99, answered=True) is None


@pytest.mark.parametrize(
    ("budget", "ended"), [("0", 2), ("3", 8), ("1%", 22), ("0.1%", 4), ("100%", None)]
)
def test_a_budget_that_cannot_be_kept_any_more_ends_the_run(budget, ended):
    """Every second item of 1000 fails: the first failure beyond the budget is the last item."""
    limits = FailureLimits(budget=FailureBudget.parse(budget))
    records = [ANSWER, failed()] * 500
    assert noted(*records, limits=limits) == ended


def test_before_the_first_answer_no_more_is_asked_than_may_fail():
    """The twenty-first question and video wait; an answer lets all of them go."""
    watch = FailureWatch(FailureLimits(), items=1000, answered=False, careful=True)
    for _ in range(LIMIT):
        assert watch.may_decode()
        assert watch.may_ask()
    passed = []
    waiting = threading.Thread(
        target=lambda: passed.extend([watch.may_decode(), watch.may_ask()]), daemon=True
    )
    waiting.start()
    for number in range(LIMIT - 1):
        watch.note(failed(), number)
    waiting.join(0.1)
    assert passed == []
    watch.note(ANSWER, "good")
    waiting.join(10)
    assert passed == [True, True]
    assert all(watch.may_ask() for _ in range(99))


def test_different_failures_let_further_questions_pass():
    """A run whose first items are all bad in their own way goes on, twenty at a time."""
    watch = FailureWatch(FailureLimits(), items=1000, answered=False, careful=True)
    for number in range(200):
        assert watch.may_decode()
        assert watch.may_ask()
        watch.note(failed("abcdefghij"[number % 10]), number)


def test_the_end_of_a_run_lets_nothing_pass_and_nothing_wait():
    """Else the decoder would wait for ever."""
    watch = FailureWatch(FailureLimits(stop_after=1), items=9, answered=False, careful=True)
    assert watch.may_decode()
    results = []
    waiting = threading.Thread(target=lambda: results.append(watch.may_decode()), daemon=True)
    waiting.start()
    watch.end()
    waiting.join(10)
    assert results == [False]


def _run(folder, answers, **settings):
    class Engine:
        name = "scripted"

        def generate(self, requests):
            return ((request, next(answers)) for request in requests)

        def stats(self):
            return EngineStats()

        def close(self):
            pass

    with RunWriter(folder, {"schema": 1}) as run:
        plan = Plan((planned(_samples(60)),))
        runner = Runner(plan, run, RunObserver(), patch_multiple=28, **settings)
        runner.run(Engine(), FakePool())


def test_what_failed_before_the_end_is_recorded(tmp_path):
    """The error has the server's words; the items are asked again by the next run."""
    with pytest.raises(TooManyFailuresError, match=r"20 equal failures .* At most 0 videos"):
        _run(tmp_path, iter([failure()] * 60), careful=True)
    assert len(read_records(tmp_path)) == LIMIT
