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
    """Take leases with decode processes that begin each at once."""
    taken = []
    for lease in book.take(holder):
        book.begin(holder, lease.questions[0])
        taken.append(lease.questions)
    return taken


def _answer(book, holder, questions):
    return [book.finish(holder, question) for question in questions]


def test_all_questions_of_a_video_go_to_one_replica():
    """Three questions of the first video are one lease."""
    book = _book(3, 2, 4)
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


def test_near_the_end_a_replica_holds_no_more_than_half_its_share():
    """Of twelve open questions and three replicas each holds two, though it may hold four."""
    book = _book(*[1] * 12)
    for name in "abc":
        book.join(name)
    assert [len(_take(book, name)) for name in "abc"] == [2, 2, 2]


def test_the_first_replica_leaves_their_share_to_those_that_are_about_to_join():
    """Of twelve open questions it holds two where three replicas are expected."""
    book = _book(*[1] * 12, expected=3)
    book.join("a")
    assert len(_take(book, "a")) == 2
    book.lose("a")
    book.join("b")
    assert len(_take(book, "b")) == 3


def test_no_more_than_two_leases_wait_for_the_decode_processes_of_a_replica():
    """Long videos that one replica cannot begin are left to the decode processes of others."""
    book = _book(*[1] * 100, ahead=50)
    book.join("a")
    assert [lease.video for lease in book.take("a")] == [0, 1]
    book.begin("a", "1/0")
    assert [lease.video for lease in book.take("a")] == [2]


def test_a_video_counts_for_the_share_until_its_engine_has_read_it():
    """Of eight videos and two replicas each holds two unread ones; what is read makes room."""
    book = _book(*[3] * 8, ahead=50, expected=2)
    book.join("a")
    assert [questions[0] for questions in _take(book, "a")] == ["0/0", "1/0"]
    book.read("a", "0/1")
    assert [questions[0] for questions in _take(book, "a")] == ["2/0"]
    assert _answer(book, "a", ["1/2"]) == [True]
    assert [questions[0] for questions in _take(book, "a")] == ["3/0"]


def test_a_replica_does_not_take_the_last_video_of_another_that_is_about_to_join():
    """Two videos and two replicas: one each, though a replica may decode one and read another."""
    book = _book(3, 3, ahead=50, expected=2)
    book.join("a")
    assert len(_take(book, "a")) == 1


def test_what_a_replica_tells_of_a_video_that_it_lost_changes_nothing():
    """The video belongs to another one, which has not read it."""
    book = _book(*[1] * 4, ahead=50)
    for name in "ab":
        book.join(name)
    _take(book, "a")
    book.lose("a")
    assert _take(book, "b") == [("0/0",), ("2/0",)]
    book.read("a", "0/0")
    book.read("b", "unknown")
    assert _take(book, "b") == []
    book.read("b", "0/0")
    assert _take(book, "b") == [("3/0",)]


def test_a_video_that_was_not_begun_when_its_replica_was_lost_is_no_suspect():
    """It cannot have ended the replica: another one may hold it beside a suspect."""
    book = _book(1, 1, ahead=50)
    book.join("a")
    taken = book.take("a")
    book.begin("a", next(taken).questions[0])
    next(taken)
    book.lose("a")
    book.join("b")
    assert _take(book, "b") == [("0/0",), ("1/0",)]


def test_a_replica_that_holds_nothing_gets_a_video_of_any_size():
    """A video with more questions than a replica may hold is leased all the same."""
    book = _book(9, 9)
    book.join("a")
    assert [len(questions) for questions in _take(book, "a")] == [9]


def test_what_a_lost_replica_held_is_leased_again_first_to_different_replicas():
    """Its open questions come back in their order, without those it had answered."""
    book = _book(2, 2, 2, 2, 2, 2, 2, 2)
    book.join("a")
    assert _take(book, "a") == [("0/0", "0/1"), ("1/0", "1/1")]
    assert _answer(book, "a", ["0/0"]) == [True]
    returned = book.lose("a")
    assert [lease.questions for lease in returned.again] == [("0/1",), ("1/0", "1/1")]
    assert returned.failed == ()
    book.join("b")
    book.join("c")
    assert _take(book, "b") == [("0/1",), ("2/0", "2/1")]
    assert _take(book, "c") == [("1/0", "1/1"), ("3/0", "3/1")]


def test_a_loss_that_no_video_can_have_caused_counts_for_none():
    """A replica that is struck out because of its pixels gives all back, three times and more."""
    book = _book(1)
    for name in "abcd":
        book.join(name)
        assert _take(book, name) == [("0/0",)]
        assert book.lose(name, blame=False).failed == ()


def test_a_video_that_ends_three_replicas_fails_and_costs_no_other():
    """It is held with others at the first loss, and alone at the third."""
    book = _book(2, 1, 1, 1, ahead=3)
    book.join("a")
    assert _take(book, "a") == [("0/0", "0/1"), ("1/0",)]
    assert book.lose("a").failed == ()
    book.join("b")
    assert _take(book, "b") == [("0/0", "0/1"), ("2/0",)]
    assert book.lose("b").failed == ()
    book.join("c")
    assert _take(book, "c") == [("0/0", "0/1")]
    [failed] = book.lose("c").failed
    assert failed.questions == ("0/0", "0/1")
    book.join("d")
    ended = []
    while not book.done:
        for questions in _take(book, "d"):
            ended += questions
            assert all(_answer(book, "d", questions))
    assert sorted(ended) == ["1/0", "2/0", "3/0"]


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


def test_where_no_video_was_begun_each_may_have_ended_the_replica():
    """Its end may have been faster than the word of what it began: three such ends and it fails."""
    book = _book(1)
    for name in "abc":
        book.join(name)
        list(book.take(name))
        failed = book.lose(name).failed
    assert [lease.video for lease in failed] == [0]


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
        elif inbox[name] and dice.random() < 0.5:
            dice.choice((book.begin, book.read))(name, dice.choice(inbox[name]))
        elif inbox[name]:
            question = inbox[name].pop(dice.randrange(len(inbox[name])))
            assert book.finish(name, question)
            ended.append(question)
    assert sorted(ended) == sorted(f"{v}/{n}" for v, size in enumerate(sizes) for n in range(size))
