"""Folders of training runs: checkpoints as the Trainer writes them, file by file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from harness.probe.summary import (
    ProbeFigure,
    ProbeSummary,
    ProbeVariant,
    TaskMeasure,
    VariantScore,
    write_probe,
)
from harness.schema import Outcome, TaskSummary
from tests.runs import make_manifest, make_records, write_run
from tests.trainer.commands import write_checkpoint, write_weights
from trainer.runs.checkpoints import STATE
from trainer.watch.watcher import Evaluate

MAX_STEPS, SAVE_STEPS = 50, 10


def begin_run(folder: Path, start: str = "start") -> Path:
    """Write the manifest of a run that begins with a checkpoint."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {"recipe": {"model": {"checkpoint": start}}}
    (folder / "train.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def save(run: Path, step: int, *, state: bool = True) -> Path:
    """Write a checkpoint of a step, its weights unlike any other's; the state comes last."""
    folder = write_checkpoint(run / f"checkpoint-{step}")
    write_weights(folder / "model.safetensors", fill=step)
    if state:
        write_state(folder, step)
    return folder


def write_state(folder: Path, step: int) -> None:
    """Write what the Trainer writes last."""
    state = {"global_step": step, "max_steps": MAX_STEPS, "save_steps": SAVE_STEPS}
    (folder / STATE).write_text(json.dumps(state), encoding="utf-8")


class Evaluator:
    """Writes run directories with given scores, and stores which checkpoints it was asked for."""

    def __init__(self, values: Mapping[str, Sequence[float]]) -> None:
        """Args: values: item values by the name of the checkpoint's folder."""
        self.asked: list[str] = []
        self._values = values

    def __call__(self, spec: str, folder: Path, log: Path) -> int:
        self.asked.append(Path(spec).name)
        _write_evaluation(folder, spec, self._values[Path(spec).name])
        return 0


class Prober:
    """Writes probes with given scores of ordered and shuffled clips."""

    def __init__(self, values: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> None:
        """Args: values: item values of both variants by the name of the checkpoint's folder."""
        self._values = values

    def __call__(self, spec: str, folder: Path, log: Path) -> int:
        variants = dict(zip(("ordered", "shuffled"), self._values[Path(spec).name], strict=True))
        for name, values in variants.items():
            _write_evaluation(folder / name, spec, values)
        ordered, shuffled = (sum(values) / len(values) for values in variants.values())
        gain = ProbeFigure(
            value=100 * (ordered - shuffled), se=0.5, ci95=(0.0, 100.0), n=400, n_clusters=400
        )
        measure = TaskMeasure(total=gain, left_out={}, categories={})
        summary = ProbeSummary(
            schema=1, model=spec, checkpoint={}, created="now",
            variants={
                name: ProbeVariant(run=name, tasks={"mvbench": _variant_score(values)})
                for name, values in variants.items()
            },
            measures={"temporal_gain": {"mvbench": measure}},
        )  # fmt: skip
        write_probe(folder, summary)
        return 0


def _variant_score(values: Sequence[float]) -> VariantScore:
    return VariantScore(
        score=100 * sum(values) / len(values), se=0.5, ci95=None, n=len(values),
        n_scored=len(values), n_clusters=len(values), outcomes={}, missing=0,
        protocol_hash="aaaaaaaaaaaa", breakdown={},
    )  # fmt: skip


def _write_evaluation(folder: Path, spec: str, item_values: Sequence[float]) -> None:
    values = {"mvbench": item_values}
    records = make_records(values, per_video=1)
    write_run(folder, make_manifest(values, model=spec), records)
    correct = sum(record.outcome is Outcome.CORRECT for record in records)
    score = 100 * correct / len(records)
    summary = {"mvbench": asdict(_summarise(score, len(records)))}
    (folder / "summary.json").write_text(json.dumps({"tasks": summary}), encoding="utf-8")


def _summarise(score: float, n: int) -> TaskSummary:
    """Return the summary of a task of items without a category."""
    return TaskSummary(
        score=score, se=0.5, ci95=(score - 1, score + 1), n=n, n_scored=n, n_clusters=n,
        outcomes={}, dropped=0, missing=0, breakdown={}, scorer="official@1",
        aggregation="micro", protocol_hash="aaaaaaaaaaaa",
    )  # fmt: skip


def fits(evaluator: Evaluator | Prober) -> Evaluate:
    """Check that the fake has the signature of the real thing."""
    return evaluator
