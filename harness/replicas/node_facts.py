"""Defines what has to be equal on every node of a cluster, and names what is not.

An answer must not depend on the node that gives it: same packages, same questions, same media, same
checkpoint. Facts are collected by the same code on every node (`harness.run.node_check`); this
module compares them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

_SHOWN = 3
"""Media that are named before the rest is only counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """What one node has."""

    host: str
    python: str
    packages: Mapping[str, str]
    """Versions of the packages that can move a number."""
    source: str
    """Hash of the project's own code."""
    gpus: tuple[str, ...] = ()
    """One line per GPU: name, memory, driver."""
    questions: Mapping[str, str] = field(default_factory=dict)
    """By benchmark: hash of its question files, or why they cannot be read."""
    missing: tuple[str, ...] = ()
    """Media that the driver has and this node does not, or cannot read."""
    other_size: tuple[str, ...] = ()
    """Media of another size than the driver's."""
    checkpoint: Mapping[str, str] = field(default_factory=dict)
    """Hash of each part of the checkpoint; empty where none is asked for."""
    checkpoint_error: str | None = None
    """Why the checkpoint cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReport:
    """What came back from one node."""

    node: str
    """Host name, with the address where that is not enough."""
    facts: NodeFacts | None
    problem: str | None = None
    """Why there are no facts: the node did not answer, or lacks the project."""
    silent: bool = False
    """Whether it did not answer: it may just have died, and nothing is known of it."""


def list_differences(here: NodeFacts, reports: Iterable[NodeReport]) -> list[str]:
    """Return a sentence for each difference between a node and the driver, beginning with the node.

    Args:
        here: The facts of the machine that drives.
        reports: What came back from the nodes.
    """
    return [
        f"node {report.node}: {sentence}"
        for report in reports
        for sentence in (
            [f"{report.problem}"] if report.facts is None else compare(here, report.facts)
        )
    ]


def compare(here: NodeFacts, there: NodeFacts) -> list[str]:
    """Return what differs, one sentence per fact."""
    return [
        *_compare_packages(here, there),
        *_compare_questions(here.questions, there.questions),
        *_describe_media(there),
        *_compare_checkpoints(here, there),
    ]


def _compare_packages(here: NodeFacts, there: NodeFacts) -> Iterator[str]:
    if here.python.split(".")[:2] != there.python.split(".")[:2]:
        yield f"Python is {there.python}, here {here.python}"
    for name in sorted({*here.packages, *there.packages}):
        mine, theirs = here.packages.get(name), there.packages.get(name)
        if mine != theirs:
            yield f"{name} is {theirs or 'not installed'}, here {mine or 'not installed'}"
    if here.source != there.source and here.packages.get("videor1") == there.packages.get(
        "videor1"
    ):
        yield "the code of videor1 is another one under the same version; install the same commit"


def _compare_questions(here: Mapping[str, str], there: Mapping[str, str]) -> Iterator[str]:
    for task, mine in here.items():
        theirs = there.get(task, "not looked at")
        if mine != theirs:
            is_hash = len(theirs) == len(mine) and " " not in theirs
            yield f"{task}: " + ("other question files than here" if is_hash else theirs)


def _describe_media(there: NodeFacts) -> Iterator[str]:
    for what, media in (
        ("missing or not readable", there.missing),
        ("of another size than here", there.other_size),
    ):
        if media:
            yield f"{len(media)} media are {what}: {_shorten(media)}"


def _compare_checkpoints(here: NodeFacts, there: NodeFacts) -> Iterator[str]:
    if there.checkpoint_error is not None:
        yield f"the checkpoint cannot be read: {there.checkpoint_error}"
        return
    parts = [
        part
        for part in sorted({*here.checkpoint, *there.checkpoint})
        if here.checkpoint.get(part) != there.checkpoint.get(part)
    ]
    if parts:
        yield f"another checkpoint than here: other {', '.join(parts)}"


def _shorten(media: Sequence[str]) -> str:
    rest = len(media) - _SHOWN
    return ", ".join(media[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
