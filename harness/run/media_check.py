"""Which media a benchmark's questions need, and which of them are missing or damaged.

`eval` asks before any model is loaded; ``videor1 data check`` shows the same, and on demand decodes
every file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import InaccessibleMediaError, UnusableMediaError, UsageError
from harness.run.plan import Plan
from harness.schema import Failure, FramePolicy, FrameRule, Media, Sample, Variant
from harness.task.api import FromFile, NamesLines, Task
from harness.video.decord_check import DecordDiffersError
from harness.video.jobs import DecodeJob
from harness.video.pool import DecodePool

SHOWN = 10
"""Files listed before the rest is only counted."""

_PROBED = FramePolicy(rule=FrameRule.LINSPACE, max_frames=8)
_PATCH_MULTIPLE = 28
_DAMAGED = "damaged; delete and fetch them again"
_ADVICE = {
    UnusableMediaError.__name__: (
        "sound, but they cannot be shown as the questions ask; the reason beside each says why,"
        " fetching them again does not help"
    ),
    InaccessibleMediaError.__name__: (
        "they cannot be opened or read; check that they are files, their permissions and the disk"
    ),
    TimeoutError.__name__: (
        "not decoded in time, and not known to be damaged; check them again while the machine does"
        " less, and raise --decode-timeout of `videor1 eval`"
    ),
    ChildProcessError.__name__: (
        "their decoding ended its process, most often for lack of memory; check them again with"
        " more free memory"
    ),
}
"""What to do, by the name of the error."""
_DIFFERS = (
    "sound here, but decord, which Video-R1, lmms-eval and VLMEvalKit read with, shows other"
    " frames: their published numbers saw those"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Media with something wrong or noteworthy about them, for one reason."""

    reason: str
    """What is wrong and what to do about it."""
    media: tuple[str, ...]
    """Paths, or paths with what their decoding said."""
    items: int
    """Questions that need them."""
    obtainable: bool = True
    """Whether the benchmark's publishers hand these media out."""
    usable: bool = False
    """Whether the media are sound after all, and only worth knowing about."""

    def lines(self) -> list[str]:
        """Describe the gap for a person: the first files, then what to do about them."""
        rest = len(self.media) - SHOWN
        return [
            *(f"  {medium}" for medium in self.media[:SHOWN]),
            *([f"  and {rest} more"] if rest > 0 else []),
            f"{self.reason} (files: {len(self.media)}, items: {self.items})",
        ]


def missing_media(samples: Iterable[Sample]) -> list[Path]:
    """Return the media that are not on disk, looking at each path once."""
    return [path for path in _paths(samples) if not path.exists()]


def find_gaps(task: Task, samples: Sequence[Sample]) -> list[Gap]:
    """Group the missing media of a task by why they are missing."""
    missing = set(missing_media(samples))
    hit: dict[str | None, list[Sample]] = defaultdict(list)
    for sample in samples:
        if any(media.path in missing for media in sample.media):
            hit[_undistributed(task, sample.category)].append(sample)
    return [
        Gap(
            reason=why or _how_to_get(task),
            media=tuple(_with_place(task, path) for path in _paths(group) if path in missing),
            items=len(group),
            obtainable=why is None,
        )
        for why, group in hit.items()
    ]


def check_media(plan: Plan, *, allow_missing: bool) -> tuple[list[str], frozenset[str]]:
    """Return warnings about missing media, and the ids of questions that are left out for them.

    Args:
        plan: What is asked.
        allow_missing: Leave out questions whose media are missing. Otherwise those that publishers
            do not hand out are warned of and fail one by one.

    Raises:
        UsageError: Media are missing that are not allowed to.
    """
    if not allow_missing:
        return require_media(plan), frozenset()
    warnings: list[str] = []
    absent: set[str] = set()
    for planned in plan.tasks:
        if planned.frames.order is Variant.BLIND:
            continue
        gaps = find_gaps(planned.task, planned.samples)
        missing = set(missing_media(planned.samples)) if gaps else set()
        ids = {s.id for s in planned.samples if any(one.path in missing for one in s.media)}
        if ids:
            warnings += [line for gap in gaps for line in gap.lines()]
            warnings.append(
                f"{planned.selection}: {len(ids)} of {len(planned.samples)} questions are left out"
            )
        absent |= ids
    return warnings, frozenset(absent)


def require_media(plan: Plan) -> list[str]:
    """Return warnings about media that publishers do not hand out; blind tasks need no media.

    Raises:
        UsageError: Any other medium is missing; the message lists them with where to get them.
    """
    seeing = [planned for planned in plan.tasks if planned.frames.order is not Variant.BLIND]
    gaps = [gap for planned in seeing for gap in find_gaps(planned.task, planned.samples)]
    absent = [line for gap in gaps if gap.obtainable for line in gap.lines()]
    if absent:
        raise UsageError("\n".join(["these media are missing:", *absent]))
    return [line for gap in gaps for line in gap.lines()]


def probe_jobs(samples: Iterable[Sample]) -> list[DecodeJob]:
    """Return one job per distinct medium on disk: eight frames, the first and last among them."""
    distinct = dict.fromkeys(media for sample in samples for media in sample.media)
    return [
        DecodeJob(media=(media,), policy=_PROBED, patch_multiple=_PATCH_MULTIPLE)
        for media in distinct
        if media.path.exists()
    ]


def find_damage(
    samples: Iterable[Sample],
    jobs: Sequence[DecodeJob],
    pool: DecodePool,
    on_decoded: Callable[[], None],
) -> list[Gap]:
    """Run the probe jobs of `samples`; return what fails, and what decord shows otherwise.

    Media are grouped by what there is to do about them.
    """
    samples = list(samples)
    messages: dict[str, dict[Media, str]] = defaultdict(dict)
    for job, decoded in pool.decode(jobs):
        pool.release(job)
        on_decoded()
        if isinstance(decoded, Failure):
            reason = _reason(decoded)
            messages[reason][job.media[0]] = decoded.message  # begins with the path
    return [
        Gap(
            reason=reason,
            media=tuple(sorted(set(found.values()))),
            items=sum(any(media in found for media in sample.media) for sample in samples),
            usable=reason == _DIFFERS,
        )
        for reason, found in messages.items()
    ]


def _reason(failure: Failure) -> str:
    if failure.error == DecordDiffersError.__name__:
        return _DIFFERS
    return _ADVICE.get(failure.error, _DAMAGED)


def _paths(samples: Iterable[Sample]) -> list[Path]:
    """Return the distinct media paths in the order in which they are asked about."""
    return list(dict.fromkeys(media.path for sample in samples for media in sample.media))


def _undistributed(task: Task, category: str) -> str | None:
    """Return why nobody publishes the media of a category, None where somebody does."""
    reasons = {} if task.source is None else task.source.undistributed
    return next(
        (why for part, why in reasons.items() if f"{category}/".startswith(f"{part}/")), None
    )


def _with_place(task: Task, path: Path) -> str:
    """Return a path, for a local table with the line that names it."""
    place = task.place_of(path) if isinstance(task, NamesLines) else ""
    return f"{path} ({place})" if place else str(path)


def _how_to_get(task: Task) -> str:
    if isinstance(task, FromFile):
        return f"missing, and {task.own_file} asks about them; bring them or correct their paths"
    if task.source is None:
        return f"missing; published at {task.homepage}"
    return f"missing; `videor1 data fetch {task.name}` brings them from {task.source.page}"
