"""What a driver does when replicas die, fail, hang back or fall silent; no process is started."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

import pytest

from harness.backends.base import EngineStats
from harness.errors import BackendError
from harness.replicas.driver import Driver
from harness.replicas.fleet import Answered, Decoding, Ended, Event, Joined, Lost, Spoke
from harness.replicas.leases import LeaseBook
from harness.replicas.standing import ReplicaState, Stage
from harness.schema import AnswerKey, Record
from harness.video.pool import DecodeCounts
from tests.toys import record

PIXELS = "as everywhere"
NO_COUNTS = DecodeCounts(workers=0, decodes=0, cache_hits=0, busy_s=0, peak_bytes=0)


@dataclass
class Script:
    """What a replica does, told by its number: the first one is 0, a replacement the next."""

    text: Callable[[int, int], str] = lambda replica, answered: "A"
    """Its text, the canary's included, after so many answers."""
    killed_by: Collection[int] = ()
    """Items at which any replica dies."""
    error: Callable[[int], Exception | None] = lambda replica: None
    """What it raises before it joins."""
    vanishes: Collection[int] = ()
    """Replicas that are gone before they answer."""
    absent: Collection[int] = ()
    """Replicas for which there is no room."""


@dataclass
class Actor:
    number: int
    events: deque[Event] = field(default_factory=deque)
    questions: deque[AnswerKey] = field(default_factory=deque)
    begun: bool = False
    finishes: bool = False
    answered: int = 0


class ScriptedFleet:
    """Replicas that answer one item each time that the driver waits."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._actors: dict[str, Actor] = {}
        self._started = 0
        self.closed = False

    def start(self, name: str) -> None:
        actor = self._actors[name] = Actor(self._started)
        self._started += 1
        if actor.number in self._script.absent:
            return
        error = self._script.error(actor.number)
        if error is not None:
            actor.events.append(Lost(reason=str(error), error=error))
        elif actor.number in self._script.vanishes:
            actor.events.append(Lost(reason="its process or node is gone"))
        else:
            actor.events.append(Joined(pixels=PIXELS, where=f"node {actor.number}", versions={}))
            actor.events.append(Spoke(text=self._script.text(actor.number, 0)))

    def can_replace(self) -> bool:
        return True

    def call(self, name: str, method: str, *arguments: Sequence[Sequence[AnswerKey]]) -> None:
        actor = self._actors[name]
        if method == "lease":
            actor.questions.extend(key for lease in arguments[0] for key in lease)
            actor.events.extend(Decoding(question=lease[0]) for lease in arguments[0])
        elif method == "begin":
            actor.begun = True
        elif method == "finish":
            actor.finishes = True

    def wait(self, timeout_s: float) -> list[tuple[str, Event]]:
        for actor in list(self._actors.values()):
            if actor.begun and not actor.events:
                self._act(actor)
        return [(n, a.events.popleft()) for n, a in list(self._actors.items()) if a.events]

    def drop(self, name: str) -> None:
        self._actors.pop(name, None)

    def close(self) -> None:
        self.closed = True

    def _act(self, actor: Actor) -> None:
        text = self._script.text(actor.number, actor.answered)
        if actor.questions:
            key = actor.questions.popleft()
            number = int(key[1].partition("/")[2])
            if number in self._script.killed_by:
                actor.events.append(Lost(reason="its process or node is gone"))
                return
            actor.answered += 1
            actor.events.append(Answered(record=replace(record(number), text=text)))
        elif actor.finishes:
            ended = Ended(
                text=text, pixels=PIXELS, start_s=1, answer_s=1, decode=NO_COUNTS,
                engine=EngineStats(),
            )  # fmt: skip
            actor.events.append(ended)
            actor.finishes = False


class Notes:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.lost: list[AnswerKey] = []
        self.warnings: list[str] = []
        self.states: list[Sequence[ReplicaState]] = []
        self.doubted: list[str] = []

    def answered(self, name: str, answer: Answered) -> None:
        self.records.append(answer.record)

    def failed(self, questions: Sequence[AnswerKey], reason: str) -> None:
        self.lost += questions

    def begun(self) -> None:
        pass

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def replicas(self, states: Sequence[ReplicaState]) -> None:
        self.states.append(states)

    def unproven(self, name: str, answers: Sequence[Answered]) -> None:
        self.doubted += [answer.record.id for answer in answers]

    @property
    def ids(self) -> list[str]:
        return sorted(record.id for record in self.records)


def drive(script: Script, *, items: int = 12, replicas: int = 2) -> tuple[Notes, Driver]:
    """Answer items, two to a video, and return what was heard."""
    keys = [("", f"toy/{n}", 0) for n in range(items)]
    videos = [keys[n : n + 2] for n in range(0, items, 2)]
    notes, fleet = Notes(), ScriptedFleet(script)
    book = LeaseBook(videos, ahead=4, expected=replicas)
    driver = Driver(book, fleet, notes, pixels=PIXELS)
    driver.run([f"r{n}" for n in range(replicas)])
    assert fleet.closed
    return notes, driver


def ids(*numbers: int) -> list[str]:
    return sorted(f"toy/{number}" for number in numbers)


@pytest.mark.parametrize("replicas", [1, 2, 3])
@pytest.mark.parametrize("killer", [0, 3, 11])
def test_a_video_that_kills_three_replicas_fails_and_costs_no_other(killer, replicas):
    """Its open questions are named; all other items are answered once."""
    notes, driver = drive(Script(killed_by={killer}), replicas=replicas)
    lost = [key[1] for key in notes.lost]
    assert f"toy/{killer}" in lost
    assert set(lost) <= set(ids(killer - killer % 2, killer - killer % 2 + 1))
    assert sorted([*notes.ids, *lost]) == ids(*range(12))
    assert sum(one.vanished for one in driver.standings.values()) == 3


def test_two_videos_that_kill_replicas_both_fail_alone():
    """Six replicas are lost, and the five other videos are answered."""
    notes, _ = drive(Script(killed_by={2, 8}), items=14)
    assert sorted(key[1] for key in notes.lost) == ids(2, 3, 8, 9)
    assert notes.ids == ids(0, 1, *range(4, 8), *range(10, 14))


def test_a_replica_that_vanishes_before_it_answers_is_replaced():
    """The system may have killed it; the next one may do better."""
    notes, driver = drive(Script(vanishes={0}), replicas=1)
    assert notes.ids == ids(*range(12))
    assert list(driver.standings) == ["r0", "r0+1"]


def test_replicas_that_all_vanish_are_not_replaced_for_ever():
    """Three replacements, then the run ends and says what is open."""
    with pytest.raises(
        BackendError,
        match=r"no replica is left, 12 items are open: r0, r0.1, r0.2, r0.3: its process",
    ):
        drive(Script(vanishes=range(100)), replicas=1)


def test_a_replica_that_raises_before_it_answers_is_not_replaced():
    """Another one would raise the same; the reason is told."""
    script = Script(error=lambda n: BackendError("no such weights") if n == 0 else None)
    notes, driver = drive(script)
    assert list(driver.standings) == ["r0", "r1"]
    assert notes.warnings == ["replica r0 is not used: no such weights"]
    assert notes.ids == ids(*range(12))


def test_what_ends_all_replicas_is_said_once():
    """Eight of them raise the same; the run's error is of the same kind."""
    with pytest.raises(BackendError, match=r"12 items are open: r0, r1, r2, [^:]*r7: no memory$"):
        drive(Script(error=lambda replica: BackendError("no memory")), replicas=8)


def test_a_replica_without_room_is_not_waited_for():
    """The other one answers everything, and nothing is said to be lost."""
    notes, driver = drive(Script(absent={1}))
    assert notes.ids == ids(*range(12))
    assert [one.stage for one in notes.states[-1]] == [Stage.ENDED, Stage.ENDED]
    assert notes.states[-1][1].lost is None
    assert driver.standings["r1"].items == 0


def test_empty_answers_of_a_replica_that_fell_silent_are_handed_back():
    """It spoke until its second answer; those after that cannot be told from the model's own."""
    script = Script(text=lambda replica, answered: "" if replica == 0 and answered >= 2 else "A")
    notes, driver = drive(script)
    empty = [one.id for one in notes.records if not one.text]
    assert sorted(notes.doubted) == sorted(empty)
    assert len(empty) == driver.standings["r0"].items - 2 > 0


def test_empty_answers_of_a_replica_that_still_speaks_are_the_models():
    """Every second answer is empty and so are its last ones; its canary is not."""

    def text(replica: int, answered: int) -> str:
        return "" if answered % 2 or answered == 4 else "A"

    notes, _ = drive(Script(text=text), items=6, replicas=1)
    assert [one.text for one in notes.records].count("") == 4
    assert notes.doubted == []


def test_a_model_that_never_speaks_is_not_a_silent_replica():
    """Its canary was empty at the start as well: the run's own check of silence tells that."""
    notes, _ = drive(Script(text=lambda replica, answered: ""))
    assert len(notes.records) == 12
    assert notes.doubted == []


def test_the_last_view_has_every_replica_and_adds_up():
    """Videos and items of all replicas are those of the run; nothing is held any more."""
    notes, _ = drive(Script(killed_by={4}), items=20, replicas=3)
    last = notes.states[-1]
    assert sum(one.items for one in last) == len(notes.records)
    assert sum(one.videos for one in last) == 9
    assert all(one.held_items == one.held_videos == 0 for one in last)
    assert sum(one.stage is Stage.LOST for one in last) == 3
    assert all((one.answer_s is None) == (one.items == 0) for one in last)
