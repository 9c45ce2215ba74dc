"""Evaluates a checkpoint: the one loop behind every command, bridge and call of the library.

`evaluate_plan` does the work, by `harness.run.together`: it decodes videos while the engine starts,
asks what the run directory still lacks, scores and records each answer, and writes the summary.
`evaluate` resolves a checkpoint and settings into such a plan first.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from harness.backends.engine_config import LOCAL
from harness.backends.select import ResolvedEngine, resolve_engine
from harness.errors import RunMismatchError, UsageError
from harness.run.config import DecodeConfig, EvalConfig, TrackConfig
from harness.run.default_folder import default_out
from harness.run.failure_watch import FailureLimits
from harness.run.items import ItemChoice
from harness.run.manifest import describe_run
from harness.run.media_check import check_media
from harness.run.observer import RunObserver
from harness.run.plan import Plan, make_plan
from harness.run.result import Run
from harness.run.silence import find_lost_answers, find_silence
from harness.run.store import identity, read_records
from harness.run.timing import Timing
from harness.run.together import MakeSquad, Member, evaluate_together
from harness.run.tracking import report_run, track_runs
from harness.trackers.choose import require_trackers


@dataclass(frozen=True, slots=True)
class EvalJob:
    """An evaluation whose checkpoint, plan and run directory are resolved; nothing has started."""

    config: EvalConfig
    plan: Plan
    engine: ResolvedEngine
    out: Path
    manifest: Mapping[str, Any]


def evaluate(  # noqa: PLR0913 - the public call: each argument is named in the documentation
    checkpoint: str,
    *,
    tasks: Sequence[str] | None = None,
    data: str | Path | None = None,
    protocol: str | None = None,
    out: str | Path | None = None,
    config: EvalConfig | None = None,
    replicas: int | str | None = None,
    progress: bool | RunObserver = True,
) -> Run:
    """Evaluate a checkpoint and return its run; the same call resumes an interrupted one.

    Args:
        checkpoint: Folder, LoRA adapter folder, hub id (``org/name@revision``) or the name of a
            served model.
        tasks: Names (``vsibench``), names with a config (``tempcompass:yes_no``), or files of your
            own (``./traffic.jsonl``).
        data: Folder that holds one folder per benchmark.
        protocol: ``video-r1`` or ``official``.
        out: Run directory; None: a folder under ``results/runs`` named by what is evaluated.
        config: Everything else; the four arguments above replace its values.
        replicas: Number of engines that share the videos, or ``all``; more than one needs Ray.
        progress: Show progress on the terminal or in the notebook, or call this observer.

    Raises:
        UsageError: Bad settings, missing data, or a run directory of another evaluation.
        BackendError: The engine cannot start.
        TooManyFailuresError: Every item failed alike, or more failed than `max_failures` allows.
        KeyboardInterrupt: Interrupted; finished items are in the run directory.
    """
    named = {
        "tasks": None if tasks is None else tuple(tasks),
        "data": None if data is None else Path(data),
        "protocol": protocol,
        "out": None if out is None else Path(out),
    }
    given: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    config = replace(config or EvalConfig(), **given)
    if replicas is not None:
        try:
            cluster = replace(config.cluster, replicas=str(replicas))
        except ValueError as error:
            raise UsageError(str(error)) from None
        config = replace(config, cluster=cluster)
    job = prepare(checkpoint, config)
    run, _ = run_job(job, observer_of(progress))
    return run


def prepare(
    checkpoint: str,
    config: EvalConfig,
    argv: Sequence[str] | None = None,
    *,
    start: bool = True,
) -> EvalJob:
    """Resolve checkpoint, tasks and run directory; raises as `evaluate` does.

    Without `start` nothing is going to be run, and no engine need be installed.
    """
    require_trackers(config.track.report_to)
    plan = make_plan(config)
    engine = resolve_engine(checkpoint, config.engine, plan.asked, start=start)
    manifest = describe_run(
        plan,
        engine,
        named=checkpoint,
        choice=ItemChoice.of_config(config),
        argv=sys.argv if argv is None else argv,
        data=config.data,
    )
    return EvalJob(config, plan, engine, config.out or default_out(config, manifest), manifest)


def run_job(job: EvalJob, observer: RunObserver) -> tuple[Run, Timing | None]:
    """Check that the media are there and evaluate; return the run and this invocation's timing."""
    warnings, absent = check_media(job.plan, allow_missing=job.config.allow_missing)
    for warning in (*job.plan.notes, *warnings):
        observer.warn(warning)
    with track_runs(job.config.track, {job.out: job.manifest}, job.out) as trackers:
        timing = evaluate_plan(
            replace(job.plan, absent=absent),
            job.engine,
            job.out,
            manifest=job.manifest,
            decoding=job.config.decode,
            observer=observer,
            limits=failure_limits(job.config),
            squad=_make_squad(job),
        )
        run = Run(job.out)
        report_run(trackers, run, job.config.track.track_items)
    records = read_records(job.out)
    for warning in (*find_silence(records), *find_lost_answers(records), *trackers.problems):
        observer.warn(warning)
    return run, timing


def _make_squad(job: EvalJob) -> MakeSquad | None:
    """Return what connects to Ray once there is work, None where this process answers itself."""
    return make_ray_squad(job, _plan_again)


def make_ray_squad(
    job: EvalJob, plan_again: Callable[[str, Any, Mapping[str, Any]], tuple[Plan, ResolvedEngine]]
) -> MakeSquad | None:
    """Return what connects to Ray once there is work, None where this process answers itself.

    Args:
        job: The evaluation.
        plan_again: Resolves plan and engine where a replica runs, given the checkpoint, the
            settings and the identity that both have to have; pickled.

    Raises:
        UsageError: Ray is asked for, and servers answer.
    """
    config = job.config
    if not config.cluster.on_ray:
        return None
    if job.engine.served:
        raise UsageError(
            "--replicas and --ray go with engines that are started; name every server"
            " in --base-url URL,URL instead"
        )
    from harness.run.cluster import ray_squad
    from harness.run.node_check import expect

    again = partial(plan_again, str(job.manifest["named"]), config, identity(job.manifest))
    named = str(job.manifest["named"]) if job.engine.backend in LOCAL else None
    lookup = partial(expect, job.plan, config.data, named)
    return partial(ray_squad, config, job.engine, again, lookup)


def _plan_again(
    checkpoint: str, config: EvalConfig, wanted: Mapping[str, Any]
) -> tuple[Plan, ResolvedEngine]:
    """Resolve plan and engine of an evaluation where a replica runs."""
    job = prepare_again(checkpoint, config, wanted)
    return job.plan, job.engine


def prepare_again(checkpoint: str, config: EvalConfig, wanted: Mapping[str, Any]) -> EvalJob:
    """Resolve an evaluation where a replica runs; raise where data or checkpoint differ."""
    job = prepare(checkpoint, replace(config, track=TrackConfig()))  # the driver alone reports
    found = identity(job.manifest)
    differing = [name for name in wanted if found.get(name) != wanted[name]]
    if differing:
        raise RunMismatchError(
            f"{platform.node()} has another {' and '.join(differing)} than the driver: expected"
            f" {[wanted[name] for name in differing]},"
            f" got {[found.get(name) for name in differing]}"
        )
    return job


def failure_limits(config: EvalConfig) -> FailureLimits:
    """Return how many failures end a run early; a budget that nobody gave is judged at the end."""
    budget = None if config.max_failures is None else config.failure_budget
    return FailureLimits(stop_after=config.stop_after_failures, budget=budget)


def evaluate_plan(  # noqa: PLR0913 - the one loop: each argument is named in the documentation
    plan: Plan,
    engine: ResolvedEngine,
    out: Path,
    *,
    manifest: Mapping[str, Any],
    decoding: DecodeConfig,
    observer: RunObserver,
    limits: FailureLimits | None = None,
    squad: MakeSquad | None = None,
) -> Timing | None:
    """Answer and record the items of a plan that a run directory lacks, then summarise it.

    Videos are decoded while the engine starts. Where no item is open no engine is started.

    Args:
        plan: What is asked.
        engine: What answers.
        out: Run directory, made if need be.
        manifest: Its ``run.json``; a directory of another run is refused.
        decoding: Decode processes, their limits and the frame cache.
        observer: Told of progress.
        limits: How many failures end the run early.
        squad: Makes the replicas that answer; None: one engine in this process, or the servers.

    Returns:
        Where the time went, None where nothing was open.

    Raises:
        TooManyFailuresError: The run was ended by its limits; what was answered is kept.
    """
    alone = Member(name="", plan=plan, out=out, manifest=manifest)
    return evaluate_together(
        [alone], engine, out, decoding=decoding, observer=observer, limits=limits, squad=squad
    ).timing


def observer_of(progress: bool | RunObserver) -> RunObserver:
    """Return an observer itself, the one that shows progress, or the one that shows nothing."""
    if isinstance(progress, RunObserver):
        return progress
    if not progress:
        return RunObserver()
    from harness.run.progress import ProgressBar

    return ProgressBar()
