"""Damages real clips at random places and looks for wrong frames among those that are shown.

    python -m tests.faults.corrupt --count 900

Each damage replaces a block of the file by zeros or noise, or leaves it out. A damaged clip may be
refused; where it is decoded, frames, their indices and their times must be those of the sound clip.
Every case follows from its number; ``--only N`` runs one again.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np

from harness.errors import MediaError
from harness.schema import Clip, FramePolicy, FrameRule, Media
from harness.video.decode import decode
from tests.paths import SHARED

CLIPS = SHARED / "data" / "videos"
NAMES = ("yoga.mp4", "pancake.mkv", "video1.mp4")
DAMAGES = ("hole", "noise", "gap")
BLOCK = 4096
_KINDS = tuple(product(NAMES, DAMAGES))
_COUNTS = (8, 16, 32)
"""Frames that are asked for, in turn."""


@dataclass(slots=True)
class Report:
    """What became of the damaged clips."""

    endings: defaultdict[tuple[str, str], Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    wrong: list[str] = field(default_factory=list)

    def table(self) -> str:
        """Return a line per clip and damage, then the wrong ones."""
        lines = [f"{'clip':<14}{'damage':<8}{'refused':>9}{'right':>9}{'wrong':>9}"]
        for (name, damage), found in sorted(self.endings.items()):
            counts = "".join(f"{found[ending]:>9}" for ending in ("refused", "right", "wrong"))
            lines.append(f"{name:<14}{damage:<8}{counts}")
        total = sum(sum(found.values()) for found in self.endings.values())
        lines.append(f"{total} damaged clips, {len(self.wrong)} with wrong frames")
        return "\n".join([*lines, *self.wrong])


def damage_content(whole: bytes, damage: str, rng: random.Random, size: int = BLOCK) -> bytes:
    """Replace `size` bytes by zeros or noise, or leave them out."""
    start = rng.randrange(len(whole) - size)
    block = {"hole": bytes(size), "noise": rng.randbytes(size), "gap": b""}[damage]
    return whole[:start] + block + whole[start + size :]


def show(path: Path, frames: int) -> Clip:
    """Decode evenly spaced frames at nearly their own size."""
    policy = FramePolicy(rule=FrameRule.LINSPACE, max_frames=frames, min_pixels=1, max_pixels=10**6)
    return decode(Media(path=path), policy, patch_multiple=4)


def run_suite(numbers: Sequence[int], folder: Path) -> Report:
    """Damage clips and return what became of them."""
    report = Report()
    sound = {(name, count): show(CLIPS / name, count) for name in NAMES for count in _COUNTS}
    for number in numbers:
        name, damage = _KINDS[number % len(_KINDS)]
        count = _COUNTS[number // len(_KINDS) % len(_COUNTS)]
        content = (CLIPS / name).read_bytes()
        path = folder / name
        path.write_bytes(damage_content(content, damage, random.Random(number)))
        problem = _find_problem(path, sound[name, count])
        ending = "right" if problem is None else "refused" if problem == "" else "wrong"
        report.endings[name, damage][ending] += 1
        if problem:
            report.wrong.append(f"{number}: {name}, {damage}, {count} frames: {problem}")
    return report


def _find_problem(path: Path, sound: Clip) -> str | None:
    """Return what is wrong with the clip that is shown, "" for a refusal, None for nothing."""
    try:
        clip = show(path, len(sound.indices))
    except MediaError:
        return ""
    if clip.total_frames != sound.total_frames:
        return f"{clip.total_frames} of {sound.total_frames} frames are counted"
    if (clip.indices, clip.timestamps) != (sound.indices, sound.timestamps):
        return "other indices or times"
    if not np.array_equal(clip.frames, sound.frames):
        differing = [
            index
            for index, ours, theirs in zip(clip.indices, clip.frames, sound.frames, strict=True)
            if not np.array_equal(ours, theirs)
        ]
        return f"other pixels in frames {differing}"
    return None


def main() -> int:
    """Run the suite and print its table; 1 where a wrong frame was shown."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=900)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--only", type=int, help="run the case of this number alone")
    args = parser.parse_args()
    if not CLIPS.is_dir():
        sys.stderr.write(f"no real clips in {CLIPS}\n")
        return 2
    last = args.first + args.count
    numbers = range(args.first, last) if args.only is None else [args.only]
    with tempfile.TemporaryDirectory() as folder:
        report = run_suite(numbers, Path(folder))
    print(report.table())  # noqa: T201
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
