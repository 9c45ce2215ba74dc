"""Run by torchrun, twice at once: train, and write down what this process saw."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path


def main(algorithm: str, checkpoint: Path, folder: Path) -> None:
    from tests.trainer.loops import rows, sft_recipe, tgrpo_recipe
    from tests.trainer.seeing import CheckingTGRPO, run_tgrpo
    from trainer import sft

    data = rows(folder / "media")
    if algorithm == "sft":
        recipe = sft_recipe(checkpoint, folder, steps=3, batch_size=1, save_steps=3)
        sft.train(recipe, folder / "two", rows=data)
        return
    recipe = tgrpo_recipe(checkpoint, folder, steps=2, batch_size=4, accumulation=2, save_steps=2)
    # Sixteen completions per update, eight per process: every group is cut in two.
    rollout = replace(recipe.rollout, group_size=16, shuffled_group_size=8)
    recipe = replace(recipe, rollout=rollout)
    trainer, inputs = run_tgrpo(recipe, folder / "two", data, kind=CheckingTGRPO)
    seen = {
        "compared": trainer.compared,
        "largest": trainer.largest,
        "decodes": inputs.decodes,
        "processor_calls": inputs.processor_calls,
    }
    (folder / f"seen-{os.environ['RANK']}.json").write_text(json.dumps(seen))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
