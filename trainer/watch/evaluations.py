"""Read and write the evaluations of a watch: per checkpoint its scores and a verdict.

Each evaluated checkpoint is one JSON file, written when its evaluation is complete; the timeline is
built from these files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.errors import RunMismatchError
from harness.files import read_json, write_json
from harness.gate.baseline import freeze
from harness.gate.policy import Policy
from harness.gate.report import verdict_sentence
from harness.gate.verdict import judge_run
from harness.probe.gains import gain_column, read_run
from harness.probe.measures import GAIN
from harness.probe.summary import ProbeSummary, is_probe, read_probe
from harness.run.store import SUMMARY
from harness.run.summary_shape import read_summary
from harness.schema import Variant

START = 0
"""Step of the checkpoint that training started from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskScore:
    """The score of one benchmark, or its temporal gain, in points."""

    score: float | None
    ci95: tuple[float, float] | None
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalPoint:
    """One evaluated checkpoint."""

    step: int
    checkpoint: str
    weights: str
    """Hash of the evaluated weights; for a model on the hub its id."""
    scores: Mapping[str, TaskScore]
    """By benchmark; temporal gains by ``NAME [temporal gain]``."""
    verdict: str | None = None
    """A `harness.gate.verdict.Verdict` against the start; None: not compared."""
    reason: str = ""


def point_file(out: Path, step: int) -> Path:
    """Return the file of an evaluated checkpoint."""
    return out / f"step-{step:06d}.json"


def run_folder(out: Path, step: int) -> Path:
    """Return the run directory of an evaluation."""
    return out / f"step-{step:06d}"


def eval_log(out: Path, step: int) -> Path:
    """Return the file with the output of ``videor1 eval`` for a checkpoint."""
    return out / f"step-{step:06d}.log"


def read_points(out: Path) -> list[EvalPoint]:
    """Return the evaluated checkpoints of a watch, by step."""
    points = (_read_point(path) for path in out.glob("step-*.json"))
    return sorted(points, key=lambda point: point.step)


def read_point(out: Path, step: int) -> EvalPoint | None:
    """Return the evaluated checkpoint of a step, None before it is evaluated."""
    path = point_file(out, step)
    return _read_point(path) if path.exists() else None


def write_point(out: Path, point: EvalPoint) -> None:
    """Write an evaluated checkpoint; readers see the whole file or none."""
    write_json(point_file(out, point.step), asdict(point))


def read_scores(run: Path) -> dict[str, TaskScore]:
    """Return the scores of a finished evaluation by benchmark; a probe has temporal gains, too."""
    probe = read_probe(run) if is_probe(run) else None
    folder = run if probe is None else run / Variant.ORDERED
    scores = {
        name: TaskScore(score=task["score"], ci95=_to_interval(task["ci95"]), n=task["n"])
        for name, task in read_summary(folder / SUMMARY)["tasks"].items()
    }
    return scores if probe is None else scores | _read_gains(probe)


def _read_gains(probe: ProbeSummary) -> dict[str, TaskScore]:
    found = {task: probe.measure(GAIN.name, task) for task in probe.tasks}
    return {
        gain_column(task): TaskScore(score=gain.value, ci95=gain.ci95, n=gain.n)
        for task, gain in found.items()
        if gain is not None
    }


def compare_with_start(start: Path, run: Path, policy: Policy) -> tuple[str, str]:
    """Compare the run or probe of a checkpoint with that of the start.

    Returns:
        The verdict and a sentence that explains it.

    Raises:
        RunMismatchError: The two runs differ in protocol or data.
    """
    baseline = freeze(*read_run(start), None)
    gate = judge_run(baseline, *read_run(run), policy)
    return str(gate.verdict), verdict_sentence(gate)


def require_same_weights(point: EvalPoint, weights: str) -> None:
    """Raise `RunMismatchError` where the weights of a checkpoint changed after its evaluation."""
    if point.weights != weights:
        raise RunMismatchError(
            f"{point.checkpoint} has other weights than those that were evaluated as step"
            f" {point.step}; watch the new training with another --out"
        )


def _read_point(path: Path) -> EvalPoint:
    content = read_json(path)
    if "judgement" in content:  # the name of the field in files of version 0.1
        content["verdict"] = content.pop("judgement")
    scores = {
        name: TaskScore(score=score["score"], ci95=_to_interval(score["ci95"]), n=score["n"])
        for name, score in content.pop("scores").items()
    }
    return EvalPoint(**content, scores=scores)


def _to_interval(bounds: list[float] | None) -> tuple[float, float] | None:
    return None if bounds is None else (bounds[0], bounds[1])
