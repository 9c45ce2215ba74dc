"""Keeps the book of leases: which videos are open, and which replica holds which.

All questions of a video go to one replica, so that the video is decoded and encoded once. Videos
are leased in the order given (longest first) and topped up as they finish. A replica that is lost
gives its open questions back. Any of the videos that it held may have been the reason, so that no
replica gets two of them, and a video that was held at two losses is leased alone: at the third it
fails by name and costs no other video. The book knows nothing of processes, Ray or servers: a
driver calls it.

How much a replica may hold: a lease or two that its decode processes have not begun, so that what
is decoded late stays free for others; at most `ahead` open questions, so that its engine has a full
batch; and of the videos that no engine has read yet half of its share, so that near the end no
replica has a queue while another one has nothing to do. The reading (vision encoding and prefill)
is most of a video's time, and answers tell of it too late: the replicas report it
(`python -m tests.bench.bench_replicas` measures all this).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from harness.schema import AnswerKey

MAX_LOSSES = 3
"""Number of lost replicas after which a video that each of them held fails."""
_QUEUED = 2
"""Leases that a replica may hold before its decode processes begin them."""
_UNREAD = 2
"""Videos that a replica may hold before its engine reads them where its share is smaller: one is
decoded while another one is read."""


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
    begun: bool = False
    """Whether its holder decodes it, or has."""
    read: bool = False
    """Whether its holder's engine has read it."""


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
    queued: int = 0
    """How many of these videos are not begun."""
    unread: int = 0
    """How many of these videos are not read."""


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
        self._unread = len(self._waiting)
        """Videos that no engine has read."""
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

    def held_videos(self, holder: str) -> int:
        """Return the number of videos that a replica holds."""
        return len(self._holders[holder].videos)

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
            mine.queued += 1
            mine.unread += 1
            mine.suspects += self._videos[video].losses > 0
            self._holder_of[video] = holder
            yield self._lease(video)

    def begin(self, holder: str, question: AnswerKey) -> None:
        """Note that a replica decodes the video of a question; ignored if it holds it no more."""
        video = self._held_video(holder, question)
        if video is not None and not video.begun:
            video.begun = True
            self._holders[holder].queued -= 1

    def read(self, holder: str, question: AnswerKey) -> None:
        """Note that a replica's engine has read the video of a question."""
        self.begin(holder, question)
        video = self._held_video(holder, question)
        if video is not None and not video.read:
            video.read = True
            self._holders[holder].unread -= 1
            self._unread -= 1

    def finish(self, holder: str, question: AnswerKey) -> bool:
        """Note an answer; return False where it is none that this replica owes.

        Such an answer comes from a replica that was called lost too early, and is dropped.
        """
        video = self._held_video(holder, question)
        if video is None or question not in video.open:
            return False
        self.read(holder, question)
        mine = self._holders[holder]
        del video.open[question]
        mine.questions -= 1
        self._open -= 1
        if not video.open:
            number = self._video_of[question]
            del mine.videos[number], self._holder_of[number]
            mine.suspects -= video.losses > 0
        return True

    def lose(self, holder: str, *, blame: bool = True) -> Returned:
        """Strike out a replica; what it held is leased again before other videos.

        Args:
            holder: The replica.
            blame: Whether a video may be the reason: one that it had begun, if it had begun any.
        """
        held = self._holders.pop(holder).videos
        # Where none was begun, the loss may have been faster than the word of it.
        begun = {n for n in held if self._videos[n].begun} or set(held)
        self._expected -= 1
        again: list[int] = []
        failed: list[Lease] = []
        for number in held:
            del self._holder_of[number]
            video = self._videos[number]
            video.losses += blame and number in begun
            self._unread += video.read
            video.begun = video.read = False
            if video.losses < self._max_losses:
                again.append(number)
                continue
            failed.append(self._lease(number))
            self._open -= len(video.open)
            self._unread -= 1
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

    def _held_video(self, holder: str, question: AnswerKey) -> _Video | None:
        number = self._video_of.get(question)
        if number is None or self._holder_of.get(number) != holder:
            return None
        return self._videos[number]

    def _may_get_more(self, mine: _Holder) -> bool:
        """Return whether a replica holds less than it may."""
        if mine.queued >= _QUEUED or mine.questions >= self._ahead:
            return False
        replicas = max(1, self._expected, len(self._holders))
        half = -(-self._unread // (2 * replicas))
        least = min(_UNREAD, -(-self._unread // replicas))
        return mine.unread < max(half, least)
