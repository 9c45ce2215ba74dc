"""Join the rows of a check with their clips, which are decoded in any order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from harness.schema import Clip, Media
from trainer.data.rows import TrainingRow


class WaitingRows:
    """Rows whose media are being decoded; clips are kept until the last medium of a row is there.

    Args:
        rows: Rows to build.
    """

    def __init__(self, rows: Iterable[TrainingRow]) -> None:
        self.without_media: list[TrainingRow] = []
        self._users: defaultdict[Media, list[TrainingRow]] = defaultdict(list)
        self._open: Counter[Media] = Counter()
        self._kept: dict[Media, Clip] = {}
        for row in rows:
            for media in dict.fromkeys(row.sample.media):
                self._users[media].append(row)
                self._open[media] += 1
            if not row.sample.media:
                self.without_media.append(row)

    def decoded(self, media: Media, clip: Clip) -> Iterator[tuple[TrainingRow, tuple[Clip, ...]]]:
        """Yield the rows that are complete with this medium, with their clips in order."""
        users = self._users[media]
        if any(set(row.sample.media) != {media} for row in users):
            # The pool takes the frames of a job back.
            self._kept[media] = replace(clip, frames=clip.frames.copy())
        for row in users:
            known = {**self._kept, media: clip}
            if all(one in known for one in row.sample.media):
                yield row, tuple(known[one] for one in row.sample.media)
                self._release(row)

    def _release(self, row: TrainingRow) -> None:
        """Drop the clips that no other row waits for."""
        for media in dict.fromkeys(row.sample.media):
            self._open[media] -= 1
            if not self._open[media]:
                self._kept.pop(media, None)
