"""Keeps the book of leases: which videos are open, and which replica holds which.

All questions of a video go to one replica, so that the video is decoded and encoded once. Videos
are leased in the order given (longest first) and topped up as they finish. A replica that is lost
gives its open questions back. Any of the videos that it held may have been the reason, so that no
replica gets two of them, and a video that was held at two losses is leased alone: at the third it
fails by name and costs no other video. The book knows nothing of processes, Ray or servers: a
driver calls it.

How much a replica may hold: at most `ahead` open questions, so that its engine has a full batch
and its decoders have work; and no more than half of its share of the open questions, so that near
the end no replica has a queue while another one has nothing to do
(`python -m tests.bench.bench_replicas` measures it).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from harness.schema import AnswerKey

MAX_LOSSES = 3
"""Number of lost replicas after which a video that each of them held fails."""
_MAX_VIDEOS = 16
"""More, and a replica whose decoders are slow would hold long videos that others could decode."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The open questions of one video, held by one replica."""

    video: int
    """Number of the video, in the order in which videos are leased."""
    questions: tuple[AnswerKey, ...]


@dataclass(slots=True)
class _Video:
    open: dict[AnswerKey, None]
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
    suspects: int = 0
    """How many of these videos were held at a loss."""


class LeaseBook:
    """The videos of an evaluation and who holds them.

    Args:
        videos: The question ids of each video, in the order in which videos are leased.
        ahead: Open questions that a replica may hold.
        expected: Replicas that are about to join; the first one leaves the others their share.
        max_losses: Losses of a replica after which a video it held is not leased again.

    Raises:
        ValueError: A question appears twice.
    """

    def __init__(
        self,
        videos: Iterable[Sequence[AnswerKey]],
        *,
        ahead: int,
        expected: int = 1,
        max_losses: int = MAX_LOSSES,
    ) -> None:
        self._videos = [_Video(dict.fromkeys(questions)) for questions in videos]
        self._video_of: dict[AnswerKey, int] = {}
        for number, video in enumerate(self._videos):
            for question in video.open:
                if question in self._video_of:
                    raise ValueError(f"{question}: two videos have this question")
                self._video_of[question] = number
        self._waiting = deque(n for n, video in enumerate(self._videos) if video.open)
        self._suspects: deque[int] = deque()
        """Videos that wait and were held at a loss."""
        self._holders: dict[str, _Holder] = {}
        self._holder_of: dict[int, str] = {}
        self._open = len(self._video_of)
        self._ahead = ahead
        self._expected = expected
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
        while not mine.videos or self._may_get_more(mine):
            video = self._next_for(mine)
            if video is None:
                return
            mine.videos[video] = None
            mine.questions += len(self._videos[video].open)
            mine.suspects += self._videos[video].losses > 0
            self._holder_of[video] = holder
            yield self._lease(video)

    def finish(self, holder: str, question: AnswerKey) -> bool:
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
            mine.suspects -= self._videos[video].losses > 0
        return True

    def lose(self, holder: str, *, blame: bool = True) -> Returned:
        """Strike out a replica; what it held is leased again before other videos.

        Args:
            holder: The replica.
            blame: Whether a video that it held may be the reason.
        """
        held = self._holders.pop(holder).videos
        self._expected -= 1
        again: list[int] = []
        failed: list[Lease] = []
        for number in held:
            del self._holder_of[number]
            video = self._videos[number]
            video.losses += blame
            if video.losses < self._max_losses:
                again.append(number)
                continue
            failed.append(self._lease(number))
            self._open -= len(video.open)
            video.open.clear()
        self._suspects.extendleft(n for n in reversed(again) if self._videos[n].losses)
        self._waiting.extendleft(n for n in reversed(again) if not self._videos[n].losses)
        return Returned(tuple(map(self._lease, again)), tuple(failed))

    def _next_for(self, mine: _Holder) -> int | None:
        """Return the next video that a replica may get, None where there is none."""
        if any(self._is_last_try(video) for video in mine.videos):
            return None
        if self._suspects and not mine.suspects:
            alone = self._is_last_try(self._suspects[0])
            if not alone or not mine.videos:
                return self._suspects.popleft()
        return self._waiting.popleft() if self._waiting else None

    def _is_last_try(self, video: int) -> bool:
        return 0 < self._videos[video].losses == self._max_losses - 1

    def _lease(self, video: int) -> Lease:
        return Lease(video, tuple(self._videos[video].open))

    def _may_get_more(self, mine: _Holder) -> bool:
        """Return whether a replica holds less than it may: half of its share near the end."""
        replicas = max(1, self._expected, len(self._holders))
        share = -(-self._open // (2 * replicas))
        return mine.questions < min(self._ahead, share) and len(mine.videos) < _MAX_VIDEOS
