"""Calls a function once on every node of a Ray cluster."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from harness.replicas.node_facts import NodeFacts, NodeReport

ANSWER_S = 120.0
"""How long a node has; the first import of the project from a shared file system is slow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterNode:
    """A living node as Ray knows it."""

    id: str
    name: str
    """Host name, with the address where several nodes have it."""
    gpus: int
    cpus: int


def list_nodes() -> list[ClusterNode]:
    """Return the living nodes of the cluster that this process is connected to."""
    import ray

    found = [node for node in ray.nodes() if node["Alive"]]
    hosts = Counter(node["NodeManagerHostname"] for node in found)
    return [
        ClusterNode(
            id=node["NodeID"],
            name=_name(node, hosts),
            gpus=int(node["Resources"].get("GPU", 0)),
            cpus=int(node["Resources"].get("CPU", 0)),
        )
        for node in found
    ]


def ask_nodes(
    nodes: Sequence[ClusterNode],
    function: Callable[[], NodeFacts],
    env: Mapping[str, str],
    timeout_s: float = ANSWER_S,
) -> list[NodeReport]:
    """Call a function in a process of its own on each of these nodes, on all at once.

    Args:
        nodes: Where.
        function: What; pickled.
        env: Environment variables of the processes.
        timeout_s: How long all of them have together.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    actors = [
        ray.remote(_Asked)
        .options(
            num_cpus=0,
            max_restarts=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
            runtime_env={"env_vars": dict(env)},
        )
        .remote()
        for node in nodes
    ]
    answers = [actor.call.remote(function) for actor in actors]
    end = time.monotonic() + timeout_s
    reports = [
        _await_report(node.name, answer, end - time.monotonic(), timeout_s)
        for node, answer in zip(nodes, answers, strict=True)
    ]
    for actor in actors:
        with suppress(ray.exceptions.RayError):
            ray.kill(actor, no_restart=True)
    return reports


def _await_report(name: str, answer: Any, left_s: float, timeout_s: float) -> NodeReport:
    import ray

    try:
        return NodeReport(node=name, facts=ray.get(answer, timeout=max(left_s, 0.1)))
    except ray.exceptions.GetTimeoutError:
        problem = f"it did not answer within {timeout_s:g} s; is it overloaded or unreachable?"
    except ray.exceptions.RayTaskError as error:
        cause = error.cause or error
        failed = f"the check failed there: {type(cause).__name__}: {cause}"
        return NodeReport(node=name, facts=None, problem=failed)
    except ray.exceptions.RayError as error:
        said = (str(error).strip().splitlines() or [""])[0]
        problem = f"no process can be started there: {type(error).__name__}: {said}"
    return NodeReport(node=name, facts=None, problem=problem, silent=True)


class _Asked:
    """A process on a node."""

    def call(self, function: Callable[[], NodeFacts]) -> NodeFacts:
        """Call the function."""
        return function()


def _name(node: Mapping[str, Any], hosts: Counter[str]) -> str:
    host: str = node["NodeManagerHostname"]
    if hosts[host] == 1:
        return host
    return f"{host} ({node['NodeManagerAddress']}, {node['NodeID'][:6]})"
