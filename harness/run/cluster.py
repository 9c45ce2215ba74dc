"""Makes the replicas of an evaluation on Ray: what each takes, and what is the same at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from harness.backends.select import ResolvedEngine
from harness.errors import UsageError
from harness.replicas.fleet import Fleet, Replica
from harness.replicas.ray_fleet import RayCluster, RayFleet
from harness.replicas.ray_nodes import ask_nodes, list_nodes
from harness.replicas.room import Needs, Node, count_places, count_replicas, share_processors
from harness.run.config import DecodeConfig, EvalConfig, available_processors
from harness.run.node_check import Expected, collect_facts, collect_in_folder, describe_problems
from harness.run.plan import Plan
from harness.run.replica import EvalReplica
from harness.run.replicated import Squad

_BATCHES_AHEAD = 2
_BATCH = {"vllm": 256}
"""Questions that an engine answers at a time by default, where these are many."""
_SMALL_BATCH = 32

Prepare = Callable[[], tuple[Plan, ResolvedEngine]]


def ray_squad(
    config: EvalConfig,
    engine: ResolvedEngine,
    prepare: Prepare,
    expect: Callable[[], Expected],
) -> Squad:
    """Connect to Ray and return the replicas that the settings ask for.

    Args:
        config: Settings of the evaluation.
        engine: The engine as this process has resolved it.
        prepare: Resolves plan and engine again where a replica runs; pickled.
        expect: Returns what every node of a cluster has to have as this machine has it.

    Raises:
        UsageError: Ray is not installed, there is no room for a replica, or nodes that would get
            one differ from this machine.
        BackendError: Ray cannot be reached.
    """
    cluster = RayCluster(config.cluster.ray)
    try:
        nodes = cluster.nodes()
        gpus = _gpus_of(config, engine, nodes)
        count = count_replicas(config.cluster.replicas, gpus, nodes)
        notes = _notes(count, gpus, nodes)
        if config.cluster.ray is not None:
            notes += _check_nodes(cluster, expect(), gpus)
    except BaseException:
        cluster.close()
        raise
    share = share_processors(count, gpus, nodes)
    decoding = replace(config.decode, workers=_workers_of(config.decode, share))
    needs = Needs(gpus=gpus, cpus=min(share, decoding.workers))

    def fleet(clip: bytes) -> Fleet:
        return RayFleet(cluster, _Builder(str(Path.cwd()), prepare, decoding, clip), needs)

    batch = config.engine.max_num_seqs or _BATCH.get(engine.backend, _SMALL_BATCH)
    names = tuple(f"r{number}" for number in range(count))
    return Squad(names=names, fleet=fleet, ahead=_BATCHES_AHEAD * batch, notes=notes)


def _check_nodes(cluster: RayCluster, expected: Expected, gpus: int) -> tuple[str, ...]:
    """Return a note for each node that may get a replica and does not answer, asked twice.

    Such a node may have died, which the driver copes with; a replica on it is checked when it
    joins. Raises `UsageError` where a node differs from this machine.
    """
    places = [node for node in list_nodes() if (node.gpus >= gpus if gpus else node.cpus)]
    ask = partial(ask_nodes, function=partial(collect_in_folder, expected), env=cluster.env)
    reports = {report.node: report for report in ask(places)}
    silent = {name for name, report in reports.items() if report.silent}
    if silent:
        again = ask([node for node in places if node.name in silent])
        reports |= {report.node: report for report in again}
    problems = describe_problems(collect_facts(expected), list(reports.values()))
    if problems is not None:
        raise UsageError(problems)
    return tuple(
        f"node {name} was not checked: {report.problem}"
        for name, report in reports.items()
        if report.silent
    )


def _gpus_of(config: EvalConfig, engine: ResolvedEngine, nodes: Sequence[Node]) -> int:
    """Return the GPUs that one replica takes: none where there are none, or no use for them."""
    if engine.backend == "fake" or not any(node.gpus for node in nodes):
        return 0
    return config.engine.tensor_parallel or 1


def _workers_of(decoding: DecodeConfig, share: float) -> int:
    """Return the decode processes of one replica: the number given, else its processors."""
    given = decoding.workers != available_processors()
    return decoding.workers if given else max(1, int(share))


def _notes(count: int, gpus: int, nodes: Sequence[Node]) -> tuple[str, ...]:
    places = count_places(nodes, gpus) if gpus else count
    if count <= places:
        return ()
    return (
        f"{count} replicas are wanted and {places} of {gpus} GPUs fit; the others begin when there"
        " is room",
    )


@dataclass(frozen=True, slots=True)
class _Builder:
    """Builds a replica in an actor's process."""

    folder: str
    prepare: Prepare
    decoding: DecodeConfig
    clip: bytes

    def __call__(self) -> Replica:
        return EvalReplica(
            partial(_prepare_in, self.folder, self.prepare), self.decoding, self.clip
        )


def _prepare_in(folder: str, prepare: Prepare) -> tuple[Plan, ResolvedEngine]:
    """Prepare in the working directory of the driver, where relative paths have their meaning."""
    if Path(folder).is_dir():
        os.chdir(folder)
    return prepare()
