"""Lists what a run still lacks: each open item with its task, and what has to be decoded for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from harness.run.plan import Plan, PlannedTask
from harness.schema import AnswerKey, Sample, Variant
from harness.video.jobs import DecodeJob, decode_job, heaviest_first

Work = tuple[PlannedTask, Sample]
Lease = Sequence[AnswerKey]
"""Open questions about one video, or questions without media; they are asked in a row."""


class OpenItems:
    """Items of a plan, with their repeats, that have no finished record.

    Args:
        plan: What is asked.
        done: The answers that need no further work.
        patch_multiple: What frame sides are multiples of, in pixels.
    """

    def __init__(self, plan: Plan, done: Collection[AnswerKey], patch_multiple: int) -> None:
        # The repeats of an item follow each other, so that they share their prompt's KV cache, too.
        self.work: dict[AnswerKey, Work] = {
            (planned.run, sample.id, repeat): (planned, sample)
            for planned in plan.tasks
            for sample in planned.samples
            for repeat in range(planned.protocol.repeats)
            if (planned.run, sample.id, repeat) not in done and sample.id not in plan.absent
        }
        self.n_absent = plan.n_answers - len(done) - len(self.work)
        """How many open answers are left out because their media are missing."""
        self._job_of = {
            key: _job(planned, sample, patch_multiple)
            for key, (planned, sample) in self.work.items()
        }

    @property
    def jobs(self) -> list[DecodeJob]:
        """What has to be decoded, in the order in which it should be."""
        return heaviest_first({job for job in self._job_of.values() if job.media})

    def job_of(self, key: AnswerKey) -> DecodeJob:
        """Return what is decoded for an item: an empty job where it has no media."""
        return self._job_of[key]

    def leases(self) -> list[tuple[AnswerKey, ...]]:
        """Return all open items: those without media, then video after video, the longest first."""
        keys_of: defaultdict[DecodeJob | None, list[AnswerKey]] = defaultdict(list)
        for key, job in self._job_of.items():
            keys_of[job if job.media else None].append(key)
        without = [tuple(keys_of[None])] if None in keys_of else []
        return without + [tuple(keys_of[job]) for job in self.jobs]


def _job(planned: PlannedTask, sample: Sample, patch_multiple: int) -> DecodeJob:
    policy = planned.frames
    media = () if policy.order is Variant.BLIND else sample.media
    return decode_job(media, policy, patch_multiple=patch_multiple)
