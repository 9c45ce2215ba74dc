"""Which server is asked, with which weights, and what happens to the prompts of a lost one."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from harness.errors import BackendError
from harness.server.errors import (
    BrokenConnectionError,
    ServerFaultError,
    TimeLimitError,
    UnreachableServerError,
)
from trainer.serving.pool import ServerPool

OLD, NEW = Path("step-0"), Path("step-1")


class Server:
    """Answers with its name and its weights; `fails` is raised instead, if there is one."""

    def __init__(self, url):
        self.url = url
        self.weights = Path("checkpoint")
        self.fails = None
        self.loads = []

    def load_weights(self, folder, *, alone):
        if self.fails:
            raise self.fails
        self.weights = folder
        self.loads.append((folder, alone))

    def answer(self):
        if self.fails:
            raise self.fails
        return self.url, self.weights

    def close(self):
        pass


@pytest.fixture
def a():
    return Server("a")


@pytest.fixture
def b():
    return Server("b")


@pytest.fixture
def pool(a, b):
    pool = ServerPool([a, b], timeout_s=0.2)
    pool.load(OLD)
    return pool


def ask(pool, number=0):
    return pool.ask(number, Server.answer)


def test_prompts_are_spread_over_the_servers(pool):
    """By their number."""
    assert [ask(pool, number)[0] for number in range(4)] == ["a", "b", "a", "b"]


@pytest.mark.parametrize(
    "error", [UnreachableServerError, BrokenConnectionError, TimeLimitError, ServerFaultError]
)
def test_a_lost_server_is_not_asked_before_it_has_new_weights(pool, a, b, error):
    """It may be back with those of its checkpoint, which nobody would notice."""
    a.fails = error("gone")
    assert ask(pool, 0) == ("b", OLD)
    a.fails = None
    assert [ask(pool, number)[0] for number in range(3)] == ["b", "b", "b"]
    assert pool.ready() == ["b"]
    pool.load(NEW)
    assert [ask(pool, number) for number in range(2)] == [("a", NEW), ("b", NEW)]


def test_a_server_that_misses_new_weights_is_left_out(pool, a, b):
    """The others go on."""
    b.fails = UnreachableServerError("gone")
    pool.load(NEW)
    b.fails = None
    assert [ask(pool, number) for number in range(2)] == [("a", NEW), ("a", NEW)]


def test_where_all_are_lost_the_first_that_answers_again_gets_the_weights(a):
    """And then the question."""
    pool = ServerPool([a], timeout_s=30)
    pool.load(OLD)
    a.fails = BrokenConnectionError("gone")

    def come_back():
        time.sleep(0.1)
        a.weights, a.fails = Path("checkpoint"), None

    threading.Thread(target=come_back).start()
    assert ask(pool) == ("a", OLD)
    assert a.loads == [(OLD, True), (OLD, False)]  # another process may be asking by then


def test_a_late_loss_does_not_count_against_a_server_that_is_back(a):
    """Two questions are under way when it dies; the second one breaks after it has come back."""
    pool = ServerPool([a], timeout_s=30)
    pool.load(OLD)
    answers = []

    def question(server):
        answers.append(server.url)
        if len(answers) == 1:
            with pytest.raises(BackendError, match="x"):
                pool.ask(0, other)
            raise BrokenConnectionError("late")
        return server.answer()

    def other(server):
        answers.append(server.url)
        if len(answers) == 2:
            raise BrokenConnectionError("first")
        raise BackendError("x")

    assert pool.ask(0, question) == ("a", OLD)
    assert len(a.loads) == 2


def test_a_loss_of_all_is_told_with_names_and_reasons(pool, a, b):
    """And with what to do."""
    a.fails, b.fails = BrokenConnectionError("went away"), UnreachableServerError("no route")
    with pytest.raises(BackendError) as caught:
        ask(pool)
    for words in ("a: went away", "b: no route", "videor1 train serve", "newest checkpoint"):
        assert words in str(caught.value)


def test_a_prompt_with_which_servers_break_ends_the_run():
    """Otherwise it would go round for ever."""

    def question(server):
        raise ServerFaultError(f"{server.url} broke")

    five = ServerPool([Server(str(n)) for n in range(5)], timeout_s=5)
    five.load(OLD)
    with pytest.raises(BackendError, match=r"3 servers were lost with one prompt"):
        five.ask(0, question)


def test_what_a_server_refuses_is_no_loss(pool):
    """Another one would refuse it, too."""

    def question(server):
        raise BackendError("row 1: too long")

    with pytest.raises(BackendError, match="row 1: too long"):
        pool.ask(0, question)
    assert pool.ready() == ["a", "b"]


def test_other_processes_ask_the_servers_that_the_first_one_could_load(a, b):
    """They load nothing themselves."""
    pool = ServerPool([a, b], timeout_s=0.2)
    pool.assume(NEW, ["b"])
    assert [ask(pool, number)[0] for number in range(2)] == ["b", "b"]
    assert b.weights == Path("checkpoint")
