"""Runs a probe: all variants on one engine, then their scores and paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.backends.select import ResolvedEngine
from harness.errors import DatasetError, UsageError
from harness.probe.config import ProbeConfig
from harness.probe.figures import measure_all, measure_all_gaps, missing_gaps
from harness.probe.summary import (
    SCHEMA_VERSION,
    ProbeSummary,
    ProbeVariant,
    VariantScore,
    is_probe,
    read_probe,
    write_probe,
)
from harness.probe.tracked import report_probe
from harness.probe.variants import VariantPlans, plan_variants
from harness.run.config import FailureBudget
from harness.run.default_folder import default_out
from harness.run.evaluate import (
    EvalJob,
    failure_limits,
    make_ray_squad,
    observer_of,
    prepare,
    prepare_again,
)
from harness.run.failure_watch import FailureLimits
from harness.run.media_check import check_media
from harness.run.observer import RunObserver
from harness.run.plan import Plan
from harness.run.silence import find_lost_answers, find_silence
from harness.run.store import read_records
from harness.run.summary import Results, summarise_run
from harness.run.timing import Timing
from harness.run.together import Accounts, Member, evaluate_together, join_plans
from harness.run.tracking import track_runs
from harness.schema import Record, TaskSummary, Variant

NAME = "probe"
"""Stands for the variant in the name of a folder that the user has not named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeJob:
    """A probe whose checkpoint, plans and folder are resolved; nothing has started."""

    job: EvalJob
    """The ordered variant, with the probe's folder as its run directory."""
    asked: VariantPlans

    @property
    def out(self) -> Path:
        """The probe's folder."""
        return self.job.out

    @property
    def members(self) -> list[Member]:
        """One run per variant."""
        return [
            Member(
                name=name,
                plan=plan,
                out=self.out / name,
                manifest=_manifest_of(self.job.manifest, plan, name),
            )
            for name, plan in self.asked.plans.items()
        ]

    @property
    def n_answers(self) -> int:
        """Number of answers that the probe asks for, all variants together."""
        return sum(plan.n_answers for plan in self.asked.plans.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOutcome:
    """What a probe has found."""

    summary: ProbeSummary
    results: Mapping[str, Results]
    """By variant."""
    timing: Timing | None
    """Of this invocation; None where nothing was open."""
    silent: tuple[str, ...]
    """A sentence per variant and task in whose answers the model said nothing."""


def ask_variants(
    checkpoint: str, config: ProbeConfig, *, progress: bool | RunObserver = True
) -> ProbeSummary:
    """Probe a checkpoint and return the results; the same call resumes an interrupted probe.

    Args:
        checkpoint: As for `harness.evaluate`.
        config: What is asked; `out` is the probe's folder, None: one under ``results/runs``.
        progress: Show progress on the terminal or in the notebook, or call this observer.

    Raises:
        UsageError: Bad settings, missing data, or a folder of another probe.
        BackendError: The engine cannot start.
        TooManyFailuresError: Every item failed alike, or more failed than `max_failures` allows.
        KeyboardInterrupt: Interrupted; finished items are in the run directories.
    """
    return run_probe(prepare_probe(checkpoint, config), observer_of(progress)).summary


def prepare_probe(
    checkpoint: str,
    config: ProbeConfig,
    argv: Sequence[str] | None = None,
    *,
    start: bool = True,
) -> ProbeJob:
    """Resolve checkpoint, tasks, variants and folder.

    Without `start` nothing is going to be run, and no engine need be installed.

    Raises:
        UsageError: Bad settings, missing data, or no other variant than the ordered one is left.
    """
    job = prepare(checkpoint, config, argv, start=start)
    asked = plan_variants(job.plan, config.asked_variants)
    if len(asked.plans) < 2:
        raise UsageError(
            f"no variant can be asked beside {Variant.ORDERED}: {'; '.join(asked.notes)}"
        )
    out = config.out or default_out(config, job.manifest, NAME)
    return ProbeJob(job=replace(job, out=out), asked=asked)


def run_probe(probe: ProbeJob, observer: RunObserver) -> ProbeOutcome:
    """Ask what the variants' run directories lack, and write ``probe.json``.

    Raises:
        UsageError: Media are missing, or a directory holds a run of something else.
        BackendError: The engine cannot start.
        TooManyFailuresError: Every item failed alike, or more failed than `max_failures` allows.
        KeyboardInterrupt: Interrupted; finished items are in the run directories.
    """
    job, config = probe.job, probe.job.config
    warnings, absent = check_media(job.plan, allow_missing=config.allow_missing)
    for warning in (*job.plan.notes, *probe.asked.notes, *warnings):
        observer.warn(warning)
    members = [replace(m, plan=replace(m.plan, absent=absent)) for m in probe.members]
    with track_runs(config.track, {m.out: m.manifest for m in members}, probe.out) as trackers:
        outcome = _evaluate_members(probe, members, observer)
        report_probe(trackers, outcome.summary, probe.out, config.track.track_items)
    for problem in trackers.problems:
        observer.warn(problem)
    return outcome


def _evaluate_members(
    probe: ProbeJob, members: Sequence[Member], observer: RunObserver
) -> ProbeOutcome:
    """Ask what the members' run directories lack, and write ``probe.json``."""
    job, config = probe.job, probe.job.config
    done = evaluate_together(
        members,
        job.engine,
        probe.out,
        decoding=config.decode,
        observer=observer,
        limits=_limits(failure_limits(config), len(members)),
        squad=make_ray_squad(job, _join_again),
    )
    records = {member.name: read_records(member.out) for member in members}
    silent = []
    for name, found in records.items():
        silent += [f"{name}: {sentence}" for sentence in find_silence(found)]
        for sentence in find_lost_answers(found):
            observer.warn(f"{name}: {sentence}")
    for sentence in silent:
        observer.warn(sentence)
    results = {m.name: summarise_run(m.plan, records[m.name]) for m in members}
    summary = _summarise(probe, results, records, done)
    write_probe(probe.out, summary)
    return ProbeOutcome(summary=summary, results=results, timing=done.timing, silent=tuple(silent))


def _join_again(
    checkpoint: str, config: ProbeConfig, wanted: Mapping[str, Any]
) -> tuple[Plan, ResolvedEngine]:
    """Resolve what a replica answers, where it runs."""
    job = prepare_again(checkpoint, config, wanted)
    probe = ProbeJob(job=job, asked=plan_variants(job.plan, config.asked_variants))
    return join_plans(probe.members), job.engine


def _manifest_of(ordered: Mapping[str, Any], plan: Plan, name: str) -> dict[str, Any]:
    """Return the ``run.json`` of a variant, given that of the ordered one."""
    return {
        **ordered,
        **plan.identity(),
        "questions": plan.questions(),
        "protocol_hash": plan.protocol_hash,
        NAME: name,
    }


def _limits(limits: FailureLimits, members: int) -> FailureLimits:
    """Return limits of all variants together: each of them may have as many failures as a run."""
    budget = limits.budget
    if budget is None or budget.percent is not None:
        return limits
    return replace(limits, budget=FailureBudget(count=budget.count * members))


def _summarise(
    probe: ProbeJob,
    results: Mapping[str, Results],
    records: Mapping[str, Sequence[Record]],
    done: Accounts,
) -> ProbeSummary:
    engine, manifest = probe.job.engine, probe.job.manifest
    return _keep_timing(
        probe.out,
        ProbeSummary(
            schema=SCHEMA_VERSION,
            model=manifest["model"],
            checkpoint=manifest["checkpoint"],
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            variants={
                name: ProbeVariant(
                    run=name, tasks={task: _score(one) for task, one in found.tasks.items()}
                )
                for name, found in results.items()
            },
            measures=measure_all(probe.asked.plans, records),
            blind_gaps=measure_all_gaps(probe.asked.plans, records),
            missing_gaps=missing_gaps(probe.asked.plans),
            left_out=probe.asked.left_out,
            engine_starts=0 if engine.served else max(1, len(done.replicas)),
            timing=None if done.timing is None else done.timing.as_json(),
            replicas=tuple(done.replicas),
        ),
    )


def _keep_timing(folder: Path, summary: ProbeSummary) -> ProbeSummary:
    """Return a summary with the timing of the invocation that did the work, if this one did none.

    All else can be made again, so that a damaged file costs only this.
    """
    if summary.timing is not None or not is_probe(folder):
        return summary
    try:
        before = read_probe(folder)
    except (UsageError, DatasetError):
        return summary
    kept = {name: getattr(before, name) for name in ("timing", "engine_starts", "replicas")}
    return replace(summary, **kept)


def _score(summary: TaskSummary) -> VariantScore:
    names = VariantScore.__dataclass_fields__
    return VariantScore(**{name: getattr(summary, name) for name in names})
