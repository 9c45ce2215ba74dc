"""Counts of a running evaluation: items, videos, speed, score, time that is left."""

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from harness.run.plan import Plan
from harness.run.progress_text import choose_tasks, one_line, table
from harness.run.running import RunCounter
from harness.run.summary import summarise_run
from harness.schema import Failure, Outcome
from tests.toys import planned, record, sample

PLAN = Plan((planned([sample(n) for n in range(8)]),))
"""Two items per video."""


class Clock:
    """Stands still until it is told the time."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def _counter(clock, plan=PLAN, finished=()):
    counter = RunCounter(clock)
    counter.begin(total=plan.n_answers, done=len(finished))
    counter.plan(plan, finished)
    counter.start()
    return counter


def _lost(number, stage):
    failure = Failure(stage=stage, error="E", message="m")
    return replace(record(number, None, Outcome.FAILED), failure=failure)


def test_items_and_videos_are_counted_per_task():
    """A video is done with its last item; what was done before counts."""
    clock = Clock()
    counter = _counter(clock, finished=[record(0)])
    [task] = counter.now().tasks
    assert (task.done, task.total, task.videos_done, task.videos) == (1, 8, 0, 4)
    counter.add(record(1))
    counter.add(record(2))
    [task] = counter.now().tasks
    assert (task.done, task.videos_done) == (3, 1)


def test_questions_in_flight_are_those_that_the_engine_has():
    """A video that could not be decoded was never asked about."""
    counter = _counter(Clock())
    for _ in range(4):
        counter.asked()
    counter.add(_lost(0, "media"))
    counter.add(record(1))
    counter.add(_lost(2, "generate"))
    now = counter.now()
    assert (now.in_flight, now.failed, now.done) == (2, 2, 3)


def test_the_time_that_is_left_grows_while_nothing_finishes():
    """Two items in 10 s, six to go: 30 s; ten seconds later, 60 s."""
    clock = Clock()
    counter = _counter(clock)
    assert counter.now().left_s is None
    clock.now = 10.0
    counter.add(replace(record(0), output_tokens=30))
    counter.add(replace(record(1), output_tokens=50))
    now = counter.now()
    assert now.left_s == pytest.approx(30)
    assert now.items_per_s == pytest.approx(0.2)
    assert now.tokens_per_s == pytest.approx(8)
    clock.now = 20.0
    assert counter.now().left_s == pytest.approx(60)


def test_speed_follows_the_last_items():
    """A slow beginning is forgotten after 256 items."""
    clock = Clock()
    plan = Plan((planned([sample(n) for n in range(1000)]),))
    counter = _counter(clock, plan)
    clock.now = 1000.0
    counter.add(record(0))
    for number in range(1, 300):
        clock.now += 0.1
        counter.add(record(number))
    assert counter.now().items_per_s == pytest.approx(10)


def test_the_running_score_is_that_of_the_summary():
    """Same statistics, same interval, also for what was done before."""
    clock = Clock()
    records = [record(n, float(n % 3 == 0), Outcome.CORRECT) for n in range(8)]
    counter = _counter(clock, finished=records[:3])
    for one in records[3:]:
        counter.add(one)
    [task] = counter.now().tasks
    whole = summarise_run(PLAN, records).tasks["toy"]
    assert (task.score, task.ci95) == (whole.score, whole.ci95)


def test_the_running_score_costs_a_small_share_of_the_time():
    """Between two computations lies at least a second, however often it is asked for."""
    clock = Clock()
    plan = Plan((planned([sample(n) for n in range(100)]),))
    counter = _counter(clock, plan)
    scores = []
    for number in range(20):
        clock.now += 0.1
        counter.add(record(number, float(number % 2), Outcome.CORRECT))
        scores.append(counter.now().tasks[0].score)
    assert len(set(scores)) <= 3


def _text(run, width=80, height=24):
    out = StringIO()
    Console(file=out, width=width).print(table(run, height=height))
    return out.getvalue()


def test_at_80_columns_nothing_is_cut():
    """The longest names and numbers fit: names fold, numbers stay whole."""
    clock = Clock()
    names = ("videommmu-question-only", "lmms:longvideobench_val_v#12", "vsibench")
    tasks = [planned([sample(n) for n in range(8)])] * 3
    counter = _counter(clock, Plan(tuple(tasks)))
    clock.now = 3600 * 30.0
    counter.add(replace(record(0), output_tokens=10**9))
    now = counter.now()
    big = replace(
        now.tasks[0], done=12345, total=54321, videos_done=1234, videos=4321, failed=1234,
        score=100.0, ci95=(100.0, 100.0),
    )  # fmt: skip
    run = replace(
        now, tasks=tuple(replace(big, name=name) for name in names), done=37035, total=162963,
        failed=3702, in_flight=1024, unit="answers",
    )  # fmt: skip
    text = _text(run)
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("12345/54321") == 3
    assert text.count("1234/4321") == 3
    assert text.count("100.0 [100.0, 100.0]") == 3
    flat = "".join(text.split())
    for part in ("37035of162963answers", "3702failed", "1024inflight", "tokens/s", "left"):
        assert part in flat
    assert "…" not in text
    assert "question" in text


def test_a_low_terminal_shows_the_tasks_in_progress():
    """The whole run's lines are never pushed out."""
    clock = Clock()
    now = _counter(clock).now()
    tasks = [
        replace(now.tasks[0], name=f"task{n}", done=[8, 0, 3][n % 3], total=8) for n in range(30)
    ]
    assert [task.name for task in choose_tasks(tasks, 3)] == ["task2", "task5", "task8"]
    text = _text(replace(now, tasks=tuple(tasks)), height=12)
    assert len(text.splitlines()) <= 12
    assert "and 24 more tasks" in text
    assert "in flight" in text


def test_a_log_gets_everything_in_one_line():
    """Counts, speed, time left and score."""
    clock = Clock()
    counter = _counter(clock)
    counter.asked()
    counter.asked()
    clock.now = 30.0
    counter.add(replace(record(0), output_tokens=60))
    assert one_line(counter.now()).startswith(
        "1 of 8 items, 0 failed, 0 of 4 videos, 2.0 items/min, 2 tokens/s, 1 in flight,"
        " left 0:03:30; toy 100.0"
    )
