"""Makes the replicas of an evaluation on Ray: what each takes, and what is the same at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from harness.backends.select import ResolvedEngine
from harness.replicas.fleet import Fleet, Replica
from harness.replicas.ray_fleet import Needs, RayCluster, RayFleet, count_replicas
from harness.run.config import DecodeConfig, EvalConfig
from harness.run.plan import Plan
from harness.run.replica import EvalReplica
from harness.run.replicated import Squad

_BATCHES_AHEAD = 2
_BATCH = {"vllm": 256}
"""Questions that an engine answers at a time by default, where these are many."""
_SMALL_BATCH = 32

Prepare = Callable[[], tuple[Plan, ResolvedEngine]]


def ray_squad(config: EvalConfig, engine: ResolvedEngine, prepare: Prepare) -> Squad:
    """Connect to Ray and return the replicas that the settings ask for.

    Args:
        config: Settings of the evaluation.
        engine: The engine as this process has resolved it.
        prepare: Resolves plan and engine again where a replica runs; pickled.

    Raises:
        UsageError: Ray is not installed, or there is no GPU for ``--replicas all``.
        BackendError: Ray cannot be reached.
    """
    cluster = RayCluster(config.cluster.ray)
    try:
        gpus, cpus = cluster.resources()
        needs_gpus = _gpus_of(config, engine, gpus)
        count = count_replicas(config.cluster.replicas, needs_gpus, gpus)
    except BaseException:
        cluster.close()
        raise
    workers = max(1, min(config.decode.workers, cpus // count))
    decoding = replace(config.decode, workers=workers)
    needs = Needs(gpus=needs_gpus, cpus=workers)

    def fleet(clip: bytes) -> Fleet:
        return RayFleet(cluster, _Builder(str(Path.cwd()), prepare, decoding, clip), needs)

    batch = config.engine.max_num_seqs or _BATCH.get(engine.backend, _SMALL_BATCH)
    names = tuple(f"r{number}" for number in range(count))
    return Squad(names=names, fleet=fleet, ahead=_BATCHES_AHEAD * batch)


def _gpus_of(config: EvalConfig, engine: ResolvedEngine, gpus: int) -> int:
    """Return the GPUs that one replica takes: none where there are none, or no use for them."""
    if engine.backend == "fake" or not gpus:
        return 0
    return config.engine.tensor_parallel or 1


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
