"""Leases the videos of a run to replicas until every item is answered, whoever is lost meanwhile.

The driver holds the book of leases, judges the canary and hands finished records on; it does no
heavy work itself and knows neither Ray nor servers (`harness.replicas.fleet`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from harness.errors import BackendError, HarnessError
from harness.replicas.canary import is_silent
from harness.replicas.fleet import (
    Answered,
    Decoding,
    Ended,
    Event,
    Fleet,
    Joined,
    Lost,
    Read,
    Spoke,
)
from harness.replicas.leases import LeaseBook
from harness.replicas.listener import Listener
from harness.replicas.standing import Standing, reasons_of, view, warn_of_late
from harness.schema import Record

_POLL_S = 1.0
_SHOW_S = 0.25
"""Seconds between two views of the replicas for a person."""
JOIN_S = 600.0
"""How long the last hope, a replica that has not joined yet, is waited for."""
END_S = 120.0
"""How long the canary's answer at the end is waited for."""
_SERVER_FAULTS = 5
"""Faults of its own that a replica may show without a good answer between them."""
_REPLACEMENTS = 3
"""How many replacements a run may start, as a multiple of its replicas."""


class Driver:
    """Leases the videos of one run to replicas and writes their records.

    Args:
        book: The open videos.
        fleet: Where replicas run.
        listener: Receives records.
        pixels: The fingerprint of the canary's frames as this process decodes them.
        is_own_fault: Whether a failure may be the replica's own, so that others should try.
    """

    def __init__(
        self,
        book: LeaseBook,
        fleet: Fleet,
        listener: Listener,
        *,
        pixels: str,
        is_own_fault: Callable[[Record], bool] = lambda record: False,
    ) -> None:
        self._book = book
        self._fleet = fleet
        self._listener = listener
        self._pixels = pixels
        self._is_own_fault = is_own_fault
        self._replacements = 0
        self._shown = 0.0
        self._wondered = False
        self._errors: list[Exception] = []
        self.standings: dict[str, Standing] = {}
        """All replicas by name, those that are lost included."""

    def run(self, names: Sequence[str]) -> None:
        """Start replicas of these names and answer every open item.

        Raises:
            HarnessError: No replica is left; what the last one raised, if it is one of ours.
        """
        try:
            for name in names:
                self._start(name)
            while not self._book.done:
                self._take_events()
                self._require_hope()
            self._end()
            self._show(0.0)
        finally:
            self._fleet.close()

    def _take_events(self) -> None:
        for name, event in self._fleet.wait(_POLL_S):
            self._receive(name, event)
        self._show(_SHOW_S)

    def _show(self, every_s: float) -> None:
        """Tell the listener how all replicas stand, unless it was told just now."""
        now = time.monotonic()
        if now < self._shown + every_s:
            return
        self._shown = now
        if not self._wondered and (late := warn_of_late(self.standings, now)):
            self._wondered = True
            self._listener.warn(late)
        self._listener.replicas(view(self.standings, self._book))

    def _start(self, name: str) -> None:
        self.standings[name] = Standing()
        self._fleet.start(name)

    def _receive(self, name: str, event: Event) -> None:
        standing = self.standings[name]
        if not standing.lives:
            return
        match event:
            case Joined():
                self._admit(name, standing, event)
            case Spoke():
                standing.first = event.text
                self._judge_silence()
            case Decoding() | Read():
                self._note_progress(name, event)
            case Answered():
                self._note(name, standing, event)
            case Ended() if self._held(name):
                self._lose(name, "it ended before its items did")
            case Ended():
                self._note_end(name, standing, event)
            case Lost():
                standing.vanished = event.error is None
                if event.error is not None:
                    self._errors.append(event.error)
                self._lose(name, event.reason)

    def _admit(self, name: str, standing: Standing, event: Joined) -> None:
        standing.joined = event
        if event.pixels != self._pixels:
            versions = ", ".join(f"{k} {v}" for k, v in sorted(event.versions.items()))
            reason = f"it decodes other pixels than this process; it has {versions}"
            self._strike_out(name, reason)
            return
        self._book.join(name)
        self._top_up()

    def _note_progress(self, name: str, event: Decoding | Read) -> None:
        note = self._book.begin if isinstance(event, Decoding) else self._book.read
        if self._held(name):
            note(name, event.question)
            self._top_up(name)

    def _judge_silence(self) -> None:
        """Let replicas whose canary says something begin; the silent ones wait for a verdict."""
        living = {name: one for name, one in self.standings.items() if one.lives}
        speak = any(one.first and not is_silent(one.first) for one in self.standings.values())
        waited_for = any(one.first is None for one in living.values())
        for name, one in living.items():
            if one.first is None or one.answers:
                continue
            if not is_silent(one.first) or not (speak or waited_for):
                self._begin(name, one)
            elif speak:
                said = f"{one.first!r}" if one.first.strip() else "an empty text"
                self._strike_out(name, f"its answer to the canary is {said}, others answer it")

    def _begin(self, name: str, standing: Standing) -> None:
        if not any(one.answers for one in self.standings.values()):
            self._listener.begun()
        standing.begun = time.monotonic()
        self._fleet.call(name, "begin")

    def _note(self, name: str, standing: Standing, answer: Answered) -> None:
        record = answer.record
        if record.failure is not None and self._is_own_fault(record) and self._others(name):
            standing.parked[answer.key] = answer
            alone = len(standing.parked) >= self._held(name)
            if len(standing.parked) >= _SERVER_FAULTS or alone:
                failure = record.failure
                self._lose(name, f"its last answers failed: {failure.error}: {failure.message}")
            return
        if record.failure is None and standing.parked:
            self._commit_parked(name, standing)
        self._commit(name, standing, answer)

    def _commit_parked(self, name: str, standing: Standing) -> None:
        """Hand on failures of a replica that is sound, or the only one."""
        for parked in standing.parked.values():
            self._commit(name, standing, parked)
        standing.parked.clear()

    def _commit(self, name: str, standing: Standing, answer: Answered) -> None:
        videos = self._book.held_videos(name)
        if not self._book.finish(name, answer.key):
            return
        standing.count(answer, videos=videos - self._book.held_videos(name))
        self._listener.answered(name, answer)
        self._top_up(name)

    def _top_up(self, *names: str) -> None:
        """Lease videos to these replicas, without names to all of them."""
        for name in names or self._book.holders:
            leases = [lease.questions for lease in self._book.take(name)]
            if leases:
                self._fleet.call(name, "lease", leases)

    def _strike_out(self, name: str, reason: str) -> None:
        self.standings[name].struck_out = True
        self._lose(name, reason, blame=False)

    def _lose(self, name: str, reason: str, *, blame: bool = True) -> None:
        """Give back what a replica held, fail what was held at too many losses, replace it."""
        standing = self.standings[name]
        standing.lost = reason
        self._fleet.drop(name)
        if name in self._book.holders:
            returned = self._book.lose(name, blame=blame and standing.answers)
            given = sum(len(lease.questions) for lease in returned.again)
            self._listener.warn(
                f"replica {name} is lost: {reason}; {given} open items go to others"
            )
            for lease in returned.failed:
                self._listener.failed(lease.questions, reason)
        else:
            self._listener.warn(f"replica {name} is not used: {reason}")
        if self._may_replace(standing):
            self._replacements += 1
            self._start(f"{name.partition('+')[0]}+{self._replacements}")
        self._judge_silence()
        living = [key for key, one in self.standings.items() if one.lives]
        if len(living) == 1:
            self._commit_parked(living[0], self.standings[living[0]])
        self._top_up()

    def _may_replace(self, standing: Standing) -> bool:
        """Return whether another replica may do better, and work is left.

        One that raised an error before it answered would raise it again.
        """
        first = sum("+" not in name for name in self.standings)
        return (
            (standing.answers or standing.vanished)
            and not standing.struck_out
            and not self._book.done
            and self._replacements < _REPLACEMENTS * first
            and self._fleet.can_replace()
        )

    def _held(self, name: str) -> int:
        return self._book.held(name) if name in self._book.holders else 0

    def _others(self, name: str) -> bool:
        return any(one.lives and one.joined for key, one in self.standings.items() if key != name)

    def _note_end(self, name: str, standing: Standing, end: Ended) -> None:
        standing.ended = end
        if standing.fell_silent and standing.empty:
            self._listener.unproven(name, standing.empty)

    def _require_hope(self) -> None:
        """Raise where nobody is left who could answer."""
        living = [one for one in self.standings.values() if one.lives]
        late = time.monotonic() - JOIN_S
        if self._book.done or any(one.joined or one.started > late for one in living):
            return
        ours = next((one for one in self._errors if isinstance(one, HarnessError)), None)
        if ours is not None and len(self.standings) == 1:
            raise ours
        kind = type(ours) if ours is not None else BackendError
        raise kind(
            f"no replica is left, {self._book.open_questions} items are open:"
            f" {reasons_of(self.standings)}"
        )

    def _end(self) -> None:
        """Let replicas answer the canary again and report; those that have not begun are ended."""
        for name, one in self.standings.items():
            if one.lives and not one.answers:
                one.needed = False
                one.lost = "it was not needed: the others had finished"
                self._fleet.drop(name)
            elif one.lives:
                self._fleet.call(name, "finish")
        end = time.monotonic() + END_S
        while any(one.lives for one in self.standings.values()):
            self._take_events()
            if time.monotonic() > end:
                for one in self.standings.values():
                    if one.lives:
                        one.lost = f"it did not end within {END_S:g} s"
