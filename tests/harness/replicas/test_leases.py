"""Leases of videos: every question is answered once or failed by name, whoever is lost."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.replicas.leases import LeaseBook


def _book(*sizes, ahead=4, **options):
    videos = [[f"{video}/{n}" for n in range(size)] for video, size in enumerate(sizes)]
    return LeaseBook(videos, ahead=ahead, **options)


def _take(book, holder):
    return [lease.questions for lease in book.take(holder)]


def _answer(book, holder, questions):
    return [book.finish(holder, question) for question in questions]


def test_all_questions_of_a_video_go_to_one_replica():
    """Three questions of the first video are one lease."""
    book = _book(3, 2)
    book.join("a")
    assert _take(book, "a") == [("0/0", "0/1", "0/2"), ("1/0", "1/1")]


def test_a_replica_holds_as_much_as_it_may_and_is_topped_up():
    """Leases of one question: four are held, and one more per answer."""
    book = _book(*[1] * 10)
    book.join("a")
    assert len(_take(book, "a")) == 4
    assert _take(book, "a") == []
    assert _answer(book, "a", ["0/0"]) == [True]
    assert _take(book, "a") == [("4/0",)]


def test_near_the_end_a_replica_holds_no_more_than_its_share():
    """Of six open questions and three replicas each holds two, though it may hold four."""
    book = _book(*[1] * 6)
    for name in "abc":
        book.join(name)
    assert [len(_take(book, name)) for name in "abc"] == [2, 2, 2]


def test_a_replica_that_holds_nothing_gets_a_video_of_any_size():
    """A video with more questions than a replica may hold is leased all the same."""
    book = _book(9, 9)
    book.join("a")
    assert [len(questions) for questions in _take(book, "a")] == [9]


def test_what_a_lost_replica_held_is_leased_again_first():
    """Its open questions come back in their order, without those it had answered."""
    book = _book(2, 2, 2, ahead=4)
    book.join("a")
    book.join("b")
    assert _take(book, "a") == [("0/0", "0/1"), ("1/0", "1/1")]
    assert _answer(book, "a", ["0/0"]) == [True]
    again, failed = book.lose("a").again, book.lose("b").failed
    assert [lease.questions for lease in again] == [("0/1",), ("1/0", "1/1")]
    assert failed == ()
    book.join("c")
    assert _take(book, "c")[0] == ("0/1",)


def test_a_video_that_is_held_at_three_losses_fails_and_costs_no_other():
    """The third loss fails the video that each of them held; another one goes on."""
    book = _book(2, 1, ahead=2)
    for name in ("a", "b"):
        book.join(name)
        assert _take(book, name) == [("0/0", "0/1")]
        assert book.lose(name).failed == ()
    book.join("c")
    book.finish("c", "0/0")
    next(iter(book.take("c")))
    book.finish("c", "0/0")
    [failed] = book.lose("c").failed
    assert failed.questions == ("0/1",)
    book.join("d")
    assert _take(book, "d") == [("1/0",)]
    assert _answer(book, "d", ["1/0"]) == [True]
    assert book.done


def test_an_answer_of_a_replica_that_was_called_lost_is_dropped():
    """The question belongs to whoever holds it now."""
    book = _book(1)
    book.join("a")
    _take(book, "a")
    book.lose("a")
    book.join("b")
    assert _answer(book, "a", ["0/0"]) == [False]
    _take(book, "b")
    assert _answer(book, "a", ["0/0"]) == [False]
    assert _answer(book, "b", ["0/0", "0/0", "unknown"]) == [True, False, False]


def test_a_question_of_two_videos_is_refused():
    """Its answer could not be assigned."""
    with pytest.raises(ValueError, match="q: two videos"):
        LeaseBook([["q"], ["q"]], ahead=1)


@given(
    sizes=st.lists(st.integers(0, 5), max_size=12),
    ahead=st.integers(1, 8),
    seed=st.integers(0, 2**16),
)
def test_every_question_ends_once_whoever_is_lost(sizes, ahead, seed):
    """Answers and losses in any order: each question is answered or failed, and only once."""
    book, dice = _book(*sizes, ahead=ahead), random.Random(seed)
    ended, names = [], iter(range(10**6))
    inbox = {}
    while not book.done:
        if len(inbox) < 3:
            name = f"r{next(names)}"
            book.join(name)
            inbox[name] = []
        for name, questions in inbox.items():
            for lease in book.take(name):
                questions.extend(lease.questions)
            assert book.held(name) == len(questions)
        name = dice.choice(sorted(inbox))
        if dice.random() < 0.1:
            del inbox[name]
            ended += [question for lease in book.lose(name).failed for question in lease.questions]
        elif inbox[name]:
            question = inbox[name].pop(dice.randrange(len(inbox[name])))
            assert book.finish(name, question)
            ended.append(question)
    assert sorted(ended) == sorted(f"{v}/{n}" for v, size in enumerate(sizes) for n in range(size))
