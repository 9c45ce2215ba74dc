"""Collects which frames of which videos a report shows, and checks them against the records.

Every file is decoded once, at all indices that any run of the report saw. A record holds the times
of its frames; where those of the file differ now, the file is another one and no frame is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.report.answers import Answers, Shown
from harness.report.config import FrameChoice, ReportConfig
from harness.report.questions import Questions
from harness.report.sprites import Sprite, SpriteBook, cell_size
from harness.run.samples_file import StoredMedia
from harness.schema import Clip, Failure, Media, Outcome
from harness.video.jobs import heaviest_first
from harness.video.pool import DecodePool
from harness.video.recorded import RecordedDecoder, RecordedFrames

_POOL_BYTES = 512 << 20
"""Memory for frames that are decoded and not yet drawn."""
_MOST_PIXELS = 1 << 26
_TOLERANCE_S = 2e-3
"""How far a frame's time may be from the recorded one: rounding of time bases."""


@dataclass(slots=True)
class Video:
    """One media file of a report."""

    media: Media
    """Without a span: the file as a whole."""
    indices: set[int] = field(default_factory=set)
    """Frames that any run saw."""
    size: tuple[int, int] = (0, 0)
    """Largest recorded size of a frame, (width, height)."""
    is_wrong: bool = False
    """Whether a run does not answer one of its items correctly."""
    sprite: Sprite | None = None
    times: Mapping[int, float] = field(default_factory=dict)
    """Seconds from the start of the file, by index, as decoded now."""
    problem: str | None = None
    """Why its frames are not shown, as a sentence without its full stop."""


class Videos:
    """The videos of a report by file; `root_of` a run says where its media are."""

    def __init__(self, config: ReportConfig) -> None:
        self._config = config
        self._found: dict[Media, Video] = {}

    def __iter__(self) -> Iterator[Video]:
        return iter(self._found.values())

    def collect(self, runs: Sequence[Answers], questions: Questions) -> None:
        """Take in every frame that a run saw."""
        for number, run in enumerate(runs):
            root = self.root_of(run)
            for key, shown in run.shown.items():
                sample = questions.of(number, key[0])
                if sample is None or len(sample.media) != len(shown.indices):
                    continue
                if find_gap(shown):
                    continue
                wrong = run.records[key].outcome is not Outcome.CORRECT
                for clip, stored in enumerate(sample.media):
                    self._add(_whole(stored, root), shown, clip, is_wrong=wrong)

    def root_of(self, run: Answers) -> Path | None:
        """Return the data root of a run; None where it is not known."""
        if self._config.data is not None:
            return self._config.data
        stored = run.source.manifest.get("data_root")
        return Path(stored) if isinstance(stored, str) else None

    def find(self, stored: StoredMedia, run: Answers) -> Video | None:
        """Return the video of a stored medium, as collected."""
        return self._found.get(_whole(stored, self.root_of(run)))

    def draw(self, book: SpriteBook, say: Callable[[str], None]) -> None:
        """Decode the videos and write their pictures, those with wrong answers first.

        Args:
            book: Where the pictures go.
            say: Called with the progress after each video.
        """
        chosen = self._choose()
        jobs = {}
        for video in chosen:
            frames = RecordedFrames(
                tuple(sorted(video.indices)), cell_size(video.size, len(video.indices))
            )
            jobs[video.media] = frames
        pool = DecodePool(
            workers=min(self._config.workers, max(1, len(jobs))),
            timeout_s=self._config.decode_timeout,
            max_bytes=_POOL_BYTES,
            decoder=RecordedDecoder(jobs),
        )
        done = 0
        with pool:
            for wrong in (True, False):
                asked = [v.media for v in chosen if v.is_wrong is wrong]
                listed = heaviest_first([jobs[media].job(media) for media in asked])
                for job, answer in pool.decode(listed):
                    done += 1
                    say(f"decoded {done} of {len(chosen)} videos")
                    self._keep(self._found[job.media[0]], answer, book)
                    pool.release(job)

    def _add(self, media: Media, shown: Shown, clip: int, *, is_wrong: bool) -> None:
        video = self._found.setdefault(media, Video(media))
        video.indices.update(shown.indices[clip])
        video.size = max(video.size, shown.sizes[clip], key=lambda size: size[0] * size[1])
        video.is_wrong |= is_wrong

    def _choose(self) -> list[Video]:
        """Return the videos to decode; the others get a problem."""
        choice, chosen = self._config.frames, []
        for video in self._found.values():
            if choice is FrameChoice.NONE:
                video.problem = "the report was made with --frames none"
            elif choice is FrameChoice.WRONG and not video.is_wrong:
                video.problem = (
                    "every run answers its questions correctly, and the report was made with"
                    " --frames wrong"
                )
            elif not video.media.path.exists():
                video.problem = (
                    f"{video.media.path} is not there; name the data root with --data DIR"
                )
            else:
                chosen.append(video)
        return chosen

    def _keep(self, video: Video, answer: tuple[Clip, ...] | Failure, book: SpriteBook) -> None:
        if isinstance(answer, Failure):
            video.problem = f"it cannot be decoded now: {answer.error}: {answer.message}"
            return
        [clip] = answer
        video.times = dict(zip(clip.indices, clip.timestamps, strict=True))
        video.sprite = book.add(clip)
        if video.sprite is None:
            video.problem = (
                f"the pictures of the report reached --frames-budget {self._config.frames_budget}"
            )


def find_gap(shown: Shown) -> str | None:
    """Return what a record lacks to show its frames, None where it holds all of it."""
    clips = len(shown.indices)
    if len(shown.sizes) != clips or len(shown.timestamps) != clips:
        return "the record does not hold the sizes and times of its frames"
    if not all(shown.indices):
        return "the record names no frame of it"
    for width, height in shown.sizes:
        if not (width > 0 and height > 0 and width * height <= _MOST_PIXELS):
            return f"the record holds no size of a frame: {width} x {height} pixels"
    return None


def find_mismatch(video: Video, shown: Shown, clip: int) -> str | None:
    """Return how recorded times contradict the file as it is now; None where they agree.

    The recorded times are those of the frames in ascending order, counted from the start of the
    part that was asked about, which is why only distances are compared.
    """
    indices, times = sorted(shown.indices[clip]), sorted(shown.timestamps[clip])
    if not video.times or len(indices) != len(times):
        return None
    for index, recorded in zip(indices, times, strict=True):
        now = video.times[index] - video.times[indices[0]]
        if abs(now - (recorded - times[0])) > _TOLERANCE_S:
            return (
                f"the file has changed since the run: frame {index} came {recorded - times[0]:.3f}"
                f" s behind frame {indices[0]}, now it comes {now:.3f} s behind it"
            )
    return None


def _whole(stored: StoredMedia, root: Path | None) -> Media:
    return replace(stored.media(root), start_s=None, end_s=None)
