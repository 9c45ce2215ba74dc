"""Choose the checkpoint that comes with the package, copy it, and write its card.

    python -m trainer.miniature.embed results/runs/miniature tasks/motionworld/trained

The choice uses the scores on the development split; the card shows those on the test split.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.files import read_json, write_json
from harness.run.store import SUMMARY
from harness.run.summary_shape import read_summary
from harness.schema import Variant
from trainer.config.renamed import rename_fields
from trainer.miniature.arms import SFT, VARIANTS
from trainer.miniature.experiment import MANIFEST
from trainer.miniature.settings import RENAMED
from trainer.watch.evaluations import read_points

_TRAINING_ONLY = ("optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json")
_MAX_BYTES = 8_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """The last checkpoint of one training."""

    seed: int
    arm: str
    checkpoint: Path
    dev: float
    """Score on the development split, in points."""


def main() -> int:
    """Run the command line: choose, copy, and print the chosen checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("experiment", type=Path)
    parser.add_argument("target", type=Path)
    args = parser.parse_args()
    best = max(candidates(args.experiment), key=lambda one: one.dev)
    embed(best, args.experiment, args.target)
    print(f"{best.checkpoint}: {best.dev:.1f} on the development split")  # noqa: T201
    return 0


def candidates(experiment: Path) -> Iterator[Candidate]:
    """Yield the last checkpoint of every seed and every arm with reinforcement learning."""
    for folder in sorted(experiment.glob("seed-*/watch/*")):
        if folder.name == SFT.name:
            continue  # reinforcement learning starts from its first good checkpoint, not its last
        last = read_points(folder)[-1]
        scores = [score.score for score in last.scores.values() if score.score is not None]
        yield Candidate(
            seed=int(folder.parents[1].name.removeprefix("seed-")),
            arm=folder.name,
            checkpoint=Path(last.checkpoint),
            dev=sum(scores) / len(scores),
        )


def embed(chosen: Candidate, experiment: Path, target: Path) -> None:
    """Copy the files that an engine needs, and write ``card.json`` and ``README.md``."""
    weights = chosen.checkpoint / "model.safetensors"
    if weights.stat().st_size > _MAX_BYTES:
        raise UsageError(
            f"{weights} has {weights.stat().st_size:,} bytes; at most {_MAX_BYTES:,} are allowed"
        )
    target.mkdir(parents=True, exist_ok=True)
    for file in sorted(chosen.checkpoint.iterdir()):
        if file.name not in _TRAINING_ONLY and file.suffix != ".bin":
            shutil.copyfile(file, target / file.name)
    card = _make_card(chosen, experiment)
    write_json(target / "card.json", card)
    (target / "README.md").write_text(_format_readme(card), encoding="utf-8")


def _make_card(chosen: Candidate, experiment: Path) -> dict[str, Any]:
    settings = rename_fields(read_json(experiment / MANIFEST), RENAMED)
    return {
        "command": f"videor1 miniature --seeds {chosen.seed + 1}",
        "seed": chosen.seed,
        "arm": chosen.arm,
        "aspects": settings["dataset"]["aspects"],
        "world_seed": settings["dataset"]["seed"],
        "dev": round(chosen.dev, 1),
        "test": {
            f"{task}/{variant}": _read_score(experiment, chosen, variant, task)
            for variant, tasks in VARIANTS.items()
            for task in tasks
        },
    }


def _read_score(experiment: Path, chosen: Candidate, variant: Variant, task: str) -> dict[str, Any]:
    run = experiment / f"seed-{chosen.seed}" / "test" / f"{chosen.arm}-{variant}"
    summary = read_summary(run / SUMMARY)["tasks"][task]
    return {"score": summary["score"], "ci95": summary["ci95"], "n": summary["n"]}


def _format_readme(card: dict[str, Any]) -> str:
    lines = [
        "# A small Qwen2.5-VL for small clips",
        "",
        f"Made by `{card['command']}`, arm `{card['arm']}`, seed {card['seed']}; chosen for its"
        f" score on the development split ({card['dev']}). It was trained on the aspects"
        f" {', '.join(card['aspects'])} with clips of 56 x 56 pixels, and on nothing else. Licence:"
        " that of the project.",
        "",
        "Scores on the test split, whose clips and images were not in the training data:",
        "",
        "| benchmark | frames | score | 95 % interval | items |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for name, score in card["test"].items():
        task, variant = name.split("/")
        low, high = score["ci95"]
        lines.append(
            f"| {task} | {variant} | {score['score']:.1f} | {low:.1f} - {high:.1f} | {score['n']} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
