"""Claims the folder of a training run, and stores which rows passed the check.

``train.json`` is written once: the same job resumes the run, another one is refused with the
differing field. ``rows.json`` stores the result of the row check, so that a resumed run and the
other processes of a distributed run do not decode everything again.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.files import FolderClaim, read_json, write_json
from harness.models.checkpoint import Checkpoint
from trainer.config.algorithms import Algorithm
from trainer.config.recipe import Recipe, as_json
from trainer.config.renamed import with_new_names
from trainer.config.sections import DataSettings
from trainer.data.checks import RowReport
from trainer.data.faults import BadRow, Fault
from trainer.data.rows import TrainingRow, parse_rows

MANIFEST = "train.json"
CHECKED = "rows.json"
STOP = "stop.json"
"""Written by `videor1 watch` to stop a run that got worse; holds the reason."""
METRICS = "metrics.jsonl"
"""One line per log of the training."""
COMPLETIONS = "completions.jsonl"
"""One line per group of completions, GRPO and T-GRPO."""
RUNS = Path("results/runs")

_MACHINE_SETTINGS = (
    "check", "decode_workers", "decode_timeout_s", "cache_mib", "input_cache", "input_cache_gib",
)  # fmt: skip
"""Data settings that change no result: a resumed run may have others."""
_PLACES = ("vllm_enable_sleep_mode", "servers", "vllm_server_timeout", "weights_folder")
"""Rollout settings of the same kind."""

_POLL_S = 0.5


def _compared_fields(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a manifest that a resumed run must share."""
    recipe = with_new_names(manifest["recipe"])
    own = {"data": _MACHINE_SETTINGS, "rollout": _PLACES}
    compared = {
        section: {key: value for key, value in recipe[section].items() if key not in names}
        for section, names in own.items()
        if section in recipe
    }
    return {**manifest, "recipe": {**recipe, **compared}}


CLAIM = FolderClaim(
    manifest=MANIFEST, kind="training run", compared=_compared_fields, must_be_new=True
)


@dataclass(frozen=True, slots=True)
class DistInfo:
    """Rank and world size of this process, as the launcher puts them into the environment."""

    rank: int = 0
    world_size: int = 1

    @classmethod
    def of_this_process(cls) -> DistInfo:
        """Read ``RANK`` and ``WORLD_SIZE``, which ``accelerate launch`` and ``torchrun`` set."""
        return cls(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))


def default_out(algorithm: str, config: str) -> Path:
    """Return the default folder of a run, named after its recipe: ``results/runs/tgrpo-paper``."""
    name = Path(config).stem
    return RUNS / (name if name.startswith(algorithm) else f"{algorithm}-{name}")


def make_manifest(
    algorithm: Algorithm, recipe: Recipe, checkpoint: Checkpoint, world_size: int
) -> dict[str, Any]:
    """Return the content of ``train.json``: algorithm, recipe, checkpoint, rows, processes."""
    return {
        "algorithm": str(algorithm),
        "recipe": as_json(recipe),
        "checkpoint": {"name": checkpoint.name, **checkpoint.identity},
        "data": {str(path): _sha256(path) for path in (*recipe.data.rows, *_reward_files(recipe))},
        "processes": world_size,
    }


def claim(out: Path, manifest: Mapping[str, Any]) -> None:
    """Write ``train.json`` into a new folder, or check that the folder belongs to this run.

    Raises:
        RunMismatchError: The folder belongs to something else; the differing fields are named.
        UsageError: It cannot be written.
    """
    CLAIM.take(out, manifest)


def refuse_other(out: Path, manifest: Mapping[str, Any]) -> None:
    """Raise `RunMismatchError` where `out` holds another run or other files."""
    CLAIM.check(out, manifest)


def read_manifest(out: Path) -> dict[str, Any]:
    """Return ``train.json``; raises `UsageError` for a folder that is not a training run."""
    if not (out / MANIFEST).exists():
        raise UsageError(f"{out}: not a training run (no {MANIFEST})")
    return read_json(out / MANIFEST)


def checked_rows(
    out: Path, data: DataSettings, check: Callable[[], RowReport], dist: DistInfo
) -> tuple[RowReport, bool]:
    """Check the rows once per run, in the first process; the others wait for its result.

    Args:
        out: Folder of the run.
        data: Which rows; a stored result is used where these settings and the files are the same.
        check: Does the check.
        dist: Rank of this process.

    Returns:
        The report, and whether it is a stored one.

    Raises:
        DatasetError: Rows are bad and the settings do not exclude them.
    """
    path, key = out / CHECKED, _check_key(data)
    report = _read_report(path, key, data)
    while report is None and dist.rank > 0:
        time.sleep(_POLL_S)
        report = _read_report(path, key, data)
    if report is not None:
        return report, True
    report = check()
    report.require(
        data.on_bad_row
    )  # a report that stops the run is not stored: the rows will be fixed
    write_json(
        path,
        {
            "key": key,
            "bad": [
                {"fault": bad.fault, "where": bad.where, "message": bad.message}
                for bad in report.bad
            ],
            "rows": [row.where for row in report.rows],
        },
    )
    return report, False


def _read_report(path: Path, key: str, data: DataSettings) -> RowReport | None:
    """Return the stored report on the same rows, None where there is none."""
    if not path.exists():
        return None
    content = read_json(path)
    if content["key"] != key:
        return None
    kept = set(content["rows"])
    parsed = (row for row in parse_rows(data.rows, data.media_roots))
    rows = tuple(row for row in parsed if isinstance(row, TrainingRow) and row.where in kept)
    bad = tuple(
        BadRow(fault=Fault(row["fault"]), where=row["where"], message=row["message"])
        for row in content["bad"]
    )
    return RowReport(rows=rows, bad=bad)


def _check_key(data: DataSettings) -> str:
    """Return a hash of what the check depends on: the settings and the files with the rows."""
    settings = repr((data, [_sha256(path) for path in data.rows]))
    return hashlib.sha256(settings.encode()).hexdigest()[:16]


def _reward_files(recipe: Recipe) -> list[Path]:
    files = [Path(use.use.rpartition(":")[0]) for use in recipe.reward_functions]
    return [file for file in files if file.suffix == ".py"]


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
