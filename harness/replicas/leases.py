"""Keeps the book of leases: which videos are open, and which replica holds which.

All questions of a video go to one replica, so that the video is decoded and encoded once. Videos
are leased in the order given (longest first) and topped up as they finish. A replica that is lost
gives its open questions back; a video that is held at three losses fails by name and costs no
other video. The book knows nothing of processes, Ray or servers: a driver calls it.

How much a replica may hold: at most `ahead` open questions, so that its engine has a full batch
and its decoders have work; and near the end no more than its share of the open questions, so that
no replica has a queue while another one has nothing to do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

MAX_LOSSES = 3
"""A video that is held at that many losses of a replica is not leased again."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The open questions of one video, held by one replica."""

    video: int
    """Number of the video, in the order in which videos are leased."""
    questions: tuple[str, ...]


@dataclass(slots=True)
class _Video:
    open: dict[str, None]
    """The questions without an answer, in order; a dict for its order."""
    losses: int = 0


@dataclass(frozen=True, slots=True)
class Returned:
    """What becomes of the leases of a lost replica."""

    again: tuple[Lease, ...]
    """Leases that other replicas get."""
    failed: tuple[Lease, ...]
    """Leases of videos that were held at too many losses; their questions fail."""


@dataclass(slots=True)
class _Holder:
    videos: dict[int, None] = field(default_factory=dict)
    questions: int = 0
    """Open questions of these videos."""


class LeaseBook:
    """The videos of an evaluation and who holds them.

    Args:
        videos: The question ids of each video, in the order in which videos are leased.
        ahead: Open questions that a replica may hold.
        max_losses: Losses of a replica after which a video it held is not leased again.

    Raises:
        ValueError: A question appears twice.
    """

    def __init__(
        self, videos: Iterable[Sequence[str]], *, ahead: int, max_losses: int = MAX_LOSSES
    ) -> None:
        self._videos = [_Video(dict.fromkeys(questions)) for questions in videos]
        self._video_of: dict[str, int] = {}
        for number, video in enumerate(self._videos):
            for question in video.open:
                if question in self._video_of:
                    raise ValueError(f"{question}: two videos have this question")
                self._video_of[question] = number
        self._waiting = deque(n for n, video in enumerate(self._videos) if video.open)
        self._holders: dict[str, _Holder] = {}
        self._holder_of: dict[int, str] = {}
        self._open = len(self._video_of)
        self._ahead = ahead
        self._max_losses = max_losses

    @property
    def open_questions(self) -> int:
        """Number of questions that are neither finished nor failed."""
        return self._open

    @property
    def done(self) -> bool:
        """Whether every question is finished or failed."""
        return not self._open

    @property
    def holders(self) -> tuple[str, ...]:
        """The replicas that have joined and are not lost."""
        return tuple(self._holders)

    def held(self, holder: str) -> int:
        """Return the number of open questions that a replica holds."""
        return self._holders[holder].questions

    def leases(self, holder: str) -> tuple[Lease, ...]:
        """Return what a replica holds, with the questions that are still open."""
        return tuple(self._lease(video) for video in self._holders[holder].videos)

    def join(self, holder: str) -> None:
        """Admit a replica; it holds nothing yet. Raises `ValueError` for a name that is taken."""
        if holder in self._holders:
            raise ValueError(f"{holder}: a replica of this name has joined already")
        self._holders[holder] = _Holder()

    def take(self, holder: str) -> Iterator[Lease]:
        """Lease videos to a replica until it holds as much as it may; yields none if it does.

        A replica that gets nothing while others hold leases has to wait: a lease may come back.
        """
        mine = self._holders[holder]
        while self._waiting and (not mine.questions or mine.questions < self._limit()):
            video = self._waiting.popleft()
            mine.videos[video] = None
            mine.questions += len(self._videos[video].open)
            self._holder_of[video] = holder
            yield self._lease(video)

    def finish(self, holder: str, question: str) -> bool:
        """Note an answer; return False where it is none that this replica owes.

        Such an answer comes from a replica that was called lost too early, and is dropped.
        """
        video = self._video_of.get(question)
        if video is None or self._holder_of.get(video) != holder:
            return False
        if question not in self._videos[video].open:
            return False
        mine = self._holders[holder]
        del self._videos[video].open[question]
        mine.questions -= 1
        self._open -= 1
        if not self._videos[video].open:
            del mine.videos[video], self._holder_of[video]
        return True

    def lose(self, holder: str) -> Returned:
        """Strike out a replica; what it held comes first when the next lease is taken."""
        held = self._holders.pop(holder).videos
        again: list[int] = []
        failed: list[Lease] = []
        for number in held:
            del self._holder_of[number]
            video = self._videos[number]
            video.losses += 1
            if video.losses < self._max_losses:
                again.append(number)
                continue
            failed.append(self._lease(number))
            self._open -= len(video.open)
            video.open.clear()
        self._waiting.extendleft(reversed(again))
        return Returned(tuple(map(self._lease, again)), tuple(failed))

    def _lease(self, video: int) -> Lease:
        return Lease(video, tuple(self._videos[video].open))

    def _limit(self) -> int:
        """Return how many open questions a replica may hold now: its share near the end."""
        share = -(-self._open // max(1, len(self._holders)))
        return min(self._ahead, share)
