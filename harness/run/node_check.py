"""Collects what a node has to have for an evaluation: packages, questions, media, checkpoint.

The driver says what it has itself (`Expected`), and every node looks for the same, in seconds:
question files are hashed, media are looked up with their sizes, of the weights a sample is hashed
(`harness.models.weights`). The same code runs on the driver, so that only facts are compared.
"""

from __future__ import annotations

import hashlib
import os
import platform
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

from harness.errors import CheckpointError, HarnessError
from harness.models.checkpoint import HUB_ID, resolve
from harness.replicas.node_facts import NodeFacts, NodeReport, list_differences
from harness.run.machine import installed_packages, list_gpus
from harness.run.plan import Plan
from harness.run.selections import select
from harness.schema import Media, Sample, Variant
from harness.task import registry

_OUR_PACKAGES = ("harness", "tasks")
_MAY_DIFFER = frozenset({"decord", "lmms-eval"})
"""Packages that answer nothing: they audit videos, or load questions whose hash is compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the driver has; every node looks for the same."""

    folder: str
    """Working directory of the driver, in which relative paths have their meaning."""
    data: str
    selections: tuple[str, ...]
    """Benchmarks, ``name`` or ``name:config``."""
    media: tuple[tuple[str, int], ...]
    """Absolute path and size: bytes of a file, number of entries of a folder."""
    checkpoint: str | None
    """As the user named it; None where an engine needs none."""


def expect(plan: Plan, data: Path, checkpoint: str | None) -> Expected:
    """Return what this machine has of a plan's data; media that are missing here are left out."""
    seeing = [one for one in plan.tasks if one.frames.order is not Variant.BLIND]
    samples = [sample for planned in seeing for sample in planned.samples]
    return _expect([planned.selection for planned in plan.tasks], samples, data, checkpoint)


def expect_all_data(data: Path, checkpoint: str | None) -> Expected:
    """Return what this machine has of every benchmark whose questions it can read."""
    samples: dict[str, Sequence[Sample]] = {}
    for name in sorted(registry.installed()):
        task = registry.get(name)
        if registry.data_folder(task, data).is_dir():
            with suppress(HarnessError):
                samples[name] = select(task, data, name)[0].samples
    return _expect(list(samples), list(chain.from_iterable(samples.values())), data, checkpoint)


def collect_facts(expected: Expected) -> NodeFacts:
    """Look on this machine for what is expected; a problem is a fact, too, and never raised."""
    missing, other_size = [], []
    for path, size in expected.media:
        found = _size_of(path)
        if found is None:
            missing.append(path)
        elif found != size:
            other_size.append(path)
    checkpoint, error = _describe_checkpoint(expected.checkpoint)
    return NodeFacts(
        host=platform.node(),
        python=platform.python_version(),
        packages={k: v for k, v in installed_packages().items() if k not in _MAY_DIFFER},
        source=hash_source(),
        gpus=tuple(list_gpus()),
        questions={
            selection: _hash_questions(selection, Path(expected.data))
            for selection in expected.selections
        },
        missing=tuple(missing),
        other_size=tuple(other_size),
        checkpoint=checkpoint,
        checkpoint_error=error,
    )


def collect_in_folder(expected: Expected) -> NodeFacts:
    """Do the same in a process of its own on a node, in the driver's working directory."""
    if Path(expected.folder).is_dir():
        os.chdir(expected.folder)
    return collect_facts(expected)


def describe_problems(here: NodeFacts, reports: Sequence[NodeReport]) -> str | None:
    """Return a message that names every difference with its node, None where there is none.

    Nodes that did not answer are left out: they may have died, which ends no evaluation.
    """
    differences = list_differences(here, [one for one in reports if not one.silent])
    if not differences:
        return None
    named = "\n".join(f"  {sentence};" for sentence in differences)
    return (
        f"nodes of the cluster differ from this machine, {here.host}, so that answers would depend"
        f" on where they are given; nothing was asked:\n{named}\nmake them equal, or take the"
        " nodes out of the cluster; `videor1 doctor --ray ADDRESS` shows every node"
    )


def hash_source() -> str:
    """Return a hash of the project's own code, which a version does not tell from another one."""
    digest = hashlib.blake2b(digest_size=16)
    for package in _OUR_PACKAGES:
        spec = find_spec(package)
        if spec is None or spec.submodule_search_locations is None:
            continue
        root = Path(spec.submodule_search_locations[0])
        for path in sorted(root.rglob("*.py")):
            digest.update(f"{root.name}/{path.relative_to(root)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _expect(
    selections: Sequence[str], samples: Sequence[Sample], data: Path, checkpoint: str | None
) -> Expected:
    media = dict.fromkeys(media for sample in samples for media in sample.media)
    return Expected(
        folder=str(Path.cwd()),
        data=str(data),
        selections=tuple(dict.fromkeys(selections)),
        media=tuple(_measure_media(media)),
        checkpoint=checkpoint,
    )


def _measure_media(media: Iterable[Media]) -> Iterator[tuple[str, int]]:
    for one in media:
        path = str(one.path.absolute())
        size = _size_of(path)
        if size is not None:
            yield path, size


def _size_of(path: str) -> int | None:
    """Return the bytes of a readable file or the number of entries of a folder, else None."""
    try:
        found = Path(path).stat()
        if stat.S_ISDIR(found.st_mode):
            return sum(1 for _ in Path(path).iterdir())
    except OSError:
        return None
    return found.st_size if os.access(path, os.R_OK) else None


def _hash_questions(selection: str, data: Path) -> str:
    try:
        return select(registry.find(selection), data, selection)[1]
    except (HarnessError, OSError) as error:
        return f"its questions cannot be read: {str(error).strip()}"


def _describe_checkpoint(spec: str | None) -> tuple[dict[str, str], str | None]:
    """Return the hash of each part of a checkpoint, or why it cannot be read."""
    if spec is None:
        return {}, None
    try:
        return dict(_flatten(resolve(_find_local(spec)).identity)), None
    except (HarnessError, OSError) as error:
        return {}, str(error).strip()


def _find_local(spec: str) -> str:
    """Return a folder for a hub id, without downloading what is not in the hub's cache."""
    match = HUB_ID.fullmatch(spec)
    if match is None or Path(spec).expanduser().exists():
        return spec
    from huggingface_hub import snapshot_download

    try:
        folder: str = snapshot_download(
            match["repo"], revision=match["revision"], local_files_only=True
        )
    except (OSError, ValueError):
        raise CheckpointError(
            f"{spec} is not in this node's hub cache; download it there first"
            f" (`hf download {match['repo']}`), or share HF_HOME between the nodes"
        ) from None
    return folder


def _flatten(identity: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for part, value in identity.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{before}{part} ")
        else:
            yield f"{before}{part}", str(value)
