"""Writes the model card of a training run: ``README.md`` beside its checkpoints.

Everything is read from the folder of the run and from its watches, so that the card can be written
again when a checkpoint was evaluated.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.files import read_json, write_json, write_text
from harness.models.checkpoint import HUB_ID
from harness.plugins import installed_version
from harness.run.machine import installed_packages, list_gpus
from trainer.runs.checkpoints import saved_checkpoints
from trainer.runs.folder import CHECKED, MANIFEST
from trainer.runs.learnt import read_learnt
from trainer.runs.phase_times import read_phase_times
from trainer.watch.evaluations import EvalPoint, TaskScore
from trainer.watch.found import find_watches

CARD = "README.md"
VERSIONS = "versions.json"
"""Packages and GPUs of the process that trained last."""
_TRAINED_WITH = ("trl", "accelerate", "datasets")


def note_versions(out: Path) -> None:
    """Store which packages and GPUs train, for the card; call it where the training runs."""
    packages = {**installed_packages(), **dict(_list_more())}
    write_json(out / VERSIONS, {"packages": dict(sorted(packages.items())), "gpus": list_gpus()})


def write_card(out: Path, *, algorithm: str, start: str) -> None:
    """Write the card from what the folder holds.

    Args:
        out: Folder of the run.
        algorithm: Name of the algorithm, a tag of the hub.
        start: Folder or hub id that training started from.
    """
    manifest = read_json(out / MANIFEST) if (out / MANIFEST).is_file() else {}
    start = manifest.get("recipe", {}).get("model", {}).get("checkpoint", start)
    known = HUB_ID.fullmatch(start) is not None and not Path(start).exists()
    base = f"base_model: {start}\n" if known else ""
    parts = [
        f"---\nlibrary_name: transformers\n{base}tags:\n- videor1\n- trl\n- {algorithm}\n---\n",
        f"# {_plain(out.name)}\n",
        f"Trained with videor1's `{algorithm}` from `{start}`; the checkpoints are the folders"
        f" `checkpoint-N`.\n\n```console\n$ videor1 eval {_newest(out)} --tasks vsibench\n```\n",
        *_describe_scores(out),
        *_describe_course(out),
        *_describe_data(out, manifest),
        *_describe_recipe(manifest),
        *_describe_versions(out),
    ]
    write_text(out / CARD, "\n".join(parts))


def renew_card(out: Path) -> None:
    """Write the card of a run again, where it has one: a checkpoint of it was evaluated."""
    if (out / CARD).is_file() and (out / MANIFEST).is_file():
        manifest = read_json(out / MANIFEST)
        write_card(out, algorithm=manifest["algorithm"], start="")


def _list_more() -> Iterator[tuple[str, str]]:
    for name in _TRAINED_WITH:
        with suppress(importlib.metadata.PackageNotFoundError):
            yield name, importlib.metadata.version(name)


def _newest(out: Path) -> str:
    saved = saved_checkpoints(out)
    return str(saved[-1].folder if saved else out / "checkpoint-N")


def _describe_scores(out: Path) -> Iterator[str]:
    """Yield a table per watch: scores with 95 % intervals, clustered by video."""
    for folder, points in find_watches(out).items():
        tasks = list(dict.fromkeys(task for point in points for task in point.scores))
        if not tasks:
            continue
        yield f"## Scores\n\nOf `videor1 watch` in `{folder.name}`, with 95 % intervals.\n"
        yield _table(
            ["update", *tasks, "against the start"],
            [
                [f"{point.step}", *(_score(point, task) for task in tasks), point.verdict or ""]
                for point in points
            ],
        )


def _score(point: EvalPoint, task: str) -> str:
    found: TaskScore | None = point.scores.get(task)
    if found is None or found.score is None:
        return "–"
    if found.ci95 is None:
        return f"{found.score:.1f}"
    return f"{found.score:.1f} ({found.ci95[0]:.1f} to {found.ci95[1]:.1f})"


def _describe_course(out: Path) -> Iterator[str]:
    learnt, times = read_learnt(out), read_phase_times(out)
    if learnt.updates:
        yield f"## Course\n\n- {learnt}"
        if times is not None:
            yield f"- {times}"
        yield "- `metrics.jsonl` has every metric, `completions.jsonl` (where it exists) what was"
        yield f"  sampled: `videor1 train show {out} --html DIR` shows them.\n"


def _describe_data(out: Path, manifest: Mapping[str, Any]) -> Iterator[str]:
    hashes = manifest.get("data", {})
    if not hashes:
        return
    yield "## Data\n"
    yield _table(
        ["file", "SHA-256, first 16 digits"], [[str(k), str(v)] for k, v in hashes.items()]
    )
    if (out / CHECKED).is_file():
        checked = read_json(out / CHECKED)
        bad = len({row["where"] for row in checked["bad"]})
        yield f"{len(checked['rows']):,} rows were trained on, {bad:,} were left out.\n"


def _describe_recipe(manifest: Mapping[str, Any]) -> Iterator[str]:
    if "recipe" in manifest:
        text = json.dumps(manifest["recipe"], indent=1, ensure_ascii=False)
        yield f"## Recipe\n\n```json\n{text}\n```\n"


def _describe_versions(out: Path) -> Iterator[str]:
    if (out / VERSIONS).is_file():
        known = read_json(out / VERSIONS)
        packages = ", ".join(f"{name} {version}" for name, version in known["packages"].items())
        gpus = ", ".join(map(str, known["gpus"])) or "no GPU"
        yield f"## Versions\n\nvideor1 {installed_version()}, {packages}; {gpus}.\n"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_plain, line))} |" for line in lines) + "\n"


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
