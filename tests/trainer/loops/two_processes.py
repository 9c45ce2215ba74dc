"""Run by torchrun, twice at once: trains one case after another, and writes what this process saw.

The cases of one launch share the import of torch and TRL, which takes longer than any of them.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any


def fine_tune(checkpoint: Path, folder: Path) -> None:
    """Batches of one row each."""
    from tests.trainer.small_runs import rows, sft_recipe, train_small
    from trainer.algorithms import sft

    recipe = sft_recipe(
        checkpoint, folder, max_steps=3, per_device_train_batch_size=1, save_steps=3
    )
    train_small(sft, recipe, folder / "two", rows=rows(folder / "media"))


def cut_groups(checkpoint: Path, folder: Path) -> None:
    """Sixteen completions per update, eight per process: every group is cut in two."""
    from tests.trainer.checked_trainers import CheckingTGRPO, run_tgrpo
    from tests.trainer.small_runs import rows, tgrpo_recipe

    recipe = tgrpo_recipe(
        checkpoint,
        folder,
        max_steps=2,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=2,
        save_steps=2,
    )
    rollout = replace(recipe.rollout, num_generations=16, shuffled_group_size=8)
    recipe = replace(recipe, rollout=rollout)
    data = rows(folder / "media")
    trainer, inputs = run_tgrpo(recipe, folder / "two", data, kind=CheckingTGRPO)
    note(
        folder,
        compared=trainer.compared,
        largest=trainer.largest,
        decodes=inputs.decodes,
        processor_calls=inputs.processor_calls,
    )


def evidence_of_cut_groups(checkpoint: Path, folder: Path) -> None:
    """The same with evidence; in one process no answer is right, so that it compares none."""
    from tests.trainer.checked_trainers import CheckingEvidence, run_evidence
    from tests.trainer.small_runs import evidence_recipe, rows

    recipe = evidence_recipe(
        checkpoint, folder, max_steps=2, per_device_train_batch_size=8, save_steps=2
    )
    recipe = replace(recipe, rollout=replace(recipe.rollout, num_generations=16))
    trainer, _ = run_evidence(
        recipe, folder / "two", rows(folder / "media"), kind=CheckingEvidence, says=_right_in_first
    )
    note(folder, compared=trainer.compared, largest=trainer.largest, shuffled=trainer.shuffled)


def _right_in_first(row_id: str, shuffled: bool, before: int) -> str:
    """Answer rightly half of the time in the first process."""
    from tests.trainer.small_runs import OPTIONS

    right = os.environ["RANK"] == "0" and before % 2 == 0
    number = (int(row_id[-1]) + (not right)) % 4
    return f"<think>It goes {OPTIONS[number]}.</think>\n<answer>{'ABCD'[number]}</answer>"


def half_blind_evidence(checkpoint: Path, folder: Path, *, mode: str = "whole") -> None:
    """In every update one process has nothing to compare, and the other has a right answer."""
    from tests.trainer.checked_trainers import run_evidence
    from tests.trainer.loops.sharded import spread
    from tests.trainer.small_runs import evidence_recipe, half_broken
    from trainer.algorithms.tgrpo_evidence import VideoEvidenceTrainer

    recipe = evidence_recipe(
        checkpoint, folder, max_steps=2, per_device_train_batch_size=4, gradient_checkpointing=True
    )
    kind = spread(mode, VideoEvidenceTrainer)
    trainer, _ = run_evidence(
        recipe, folder / "two", half_broken(folder / "media"), kind=kind, says=_half_right
    )
    keep_weights(folder, trainer.model)


def _half_right(row_id: str, shuffled: bool, before: int) -> str:
    return f"<think>so</think>\n<answer>{'AB'[before % 2]}</answer>"


def fine_tune_half_blind(checkpoint: Path, folder: Path, *, mode: str = "whole") -> None:
    """In every update the one row of one of the processes cannot be decoded."""
    from tests.trainer.loops.sharded import run_sft, spread
    from tests.trainer.small_runs import half_broken, sft_recipe
    from trainer.algorithms.sft import VideoSFTTrainer

    recipe = sft_recipe(
        checkpoint, folder, max_steps=3, per_device_train_batch_size=1, gradient_checkpointing=True
    )
    kind = spread(mode, VideoSFTTrainer)
    trainer = run_sft(recipe, folder / "two", half_broken(folder / "media"), kind)
    keep_weights(folder, trainer.model)


def half_blind_groups(checkpoint: Path, folder: Path, *, mode: str = "whole") -> None:
    """In every update the one group of one of the processes cannot be decoded."""
    from tests.trainer.checked_trainers import run_tgrpo
    from tests.trainer.loops.sharded import spread
    from tests.trainer.small_runs import half_broken, tgrpo_recipe
    from trainer.algorithms.tgrpo import VideoTGRPOTrainer

    recipe = tgrpo_recipe(
        checkpoint, folder, max_steps=3, per_device_train_batch_size=4, gradient_checkpointing=True
    )
    kind = spread(mode, VideoTGRPOTrainer)
    trainer, _ = run_tgrpo(recipe, folder / "two", half_broken(folder / "media"), kind=kind)
    keep_weights(folder, trainer.model)


def beside_text(checkpoint: Path, folder: Path, *, mode: str = "whole") -> None:
    """One of the processes has a video, the other a row of text alone, in SFT and in GRPO."""
    from dataclasses import replace

    from tests.trainer.checked_trainers import run_grpo
    from tests.trainer.loops.sharded import run_sft, spread
    from tests.trainer.small_runs import grpo_recipe, mixed_rows, sft_recipe
    from trainer.algorithms.grpo import VideoGRPOTrainer
    from trainer.algorithms.sft import VideoSFTTrainer

    video, *_, text = mixed_rows(folder / "media")
    optim = {"max_steps": 2, "gradient_checkpointing": True}
    recipe = sft_recipe(
        checkpoint, folder, per_device_train_batch_size=1, learning_rate=0.1, **optim
    )
    recipe = replace(recipe, trl={"optim": "sgd"})
    trainer = run_sft(recipe, folder / "two", [video, text], spread(mode, VideoSFTTrainer))
    keep_weights(folder, trainer.model)
    forget()
    recipe = grpo_recipe(checkpoint, folder, per_device_train_batch_size=4, **optim)
    run_grpo(recipe, folder / "groups", [video, text], kind=spread(mode, VideoGRPOTrainer))


def share_prompts(checkpoint: Path, folder: Path, *, mode: str = "whole") -> None:
    """One update with packed rows and one with single rows, of two architectures: a process has a
    video and another one, the other an image and a text."""
    from tests.trainer.checked_trainers import run_grpo, run_tgrpo, says
    from tests.trainer.loops.sharded import spread
    from tests.trainer.small_runs import mixed_rows, update_recipe
    from trainer.algorithms.grpo import VideoGRPOTrainer
    from trainer.algorithms.tgrpo import VideoTGRPOTrainer

    models = {"qwen2_5_vl": checkpoint, "qwen3_vl": folder / "qwen3"}
    runs = {
        "grpo": (run_grpo, spread(mode, VideoGRPOTrainer)),
        "tgrpo": (run_tgrpo, spread(mode, VideoTGRPOTrainer)),
    }
    optim = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4}
    for algorithm, name in (("tgrpo", "qwen2_5_vl"), ("grpo", "qwen3_vl")):
        for share in (True, False):
            run, kind = runs[algorithm]
            recipe = update_recipe(
                algorithm, models[name], folder, share=share, gradient_checkpointing=True, **optim
            )
            out = folder / f"{name}-{share}"
            ran = run(recipe, out, mixed_rows(folder / "media"), kind=kind, says=says)
            keep_weights(out, (ran[0] if isinstance(ran, tuple) else ran).model)
            forget()


def resume_fine_tuning(checkpoint: Path, folder: Path, *, mode: str = "whole") -> None:
    """Four updates in one go, and the same killed in the third and resumed."""
    from functools import partial

    from tests.trainer.loops.sharded import run_sft, spread
    from tests.trainer.small_runs import sft_recipe
    from trainer.algorithms.sft import VideoSFTTrainer

    recipe = sft_recipe(
        checkpoint, folder, max_steps=4, per_device_train_batch_size=1, save_steps=2
    )
    kind = spread(mode, VideoSFTTrainer)
    kill_and_resume(folder, partial(run_sft, recipe, kind=kind))


def resume_rollouts(checkpoint: Path, folder: Path, *, mode: str = "whole") -> None:
    """The same for GRPO, with a reference model and accumulation."""
    from functools import partial

    from tests.trainer.checked_trainers import run_grpo
    from tests.trainer.loops.sharded import spread
    from tests.trainer.small_runs import grpo_recipe
    from trainer.algorithms.grpo import VideoGRPOTrainer

    recipe = grpo_recipe(
        checkpoint,
        folder,
        max_steps=4,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=2,
        save_steps=2,
    )
    kind = spread(mode, VideoGRPOTrainer)
    kill_and_resume(folder, partial(run_grpo, recipe, kind=kind))


def kill_and_resume(folder: Path, run: Any) -> None:
    """Call `run` for the whole training, then for one that is killed, and again to resume it."""
    from tests.trainer.kills import KillAt, Killed
    from tests.trainer.small_runs import rows

    data = rows(folder / "media")
    whole = run(folder / "whole", data)
    keep_weights(folder, whole.model)
    forget()
    try:
        run(folder / "cut", data, callbacks=[KillAt(3)])
    except Killed:
        forget()
    else:
        raise AssertionError("the run has not been killed")
    run(folder / "cut", data)


def forget() -> None:
    """Forget what Accelerate knows, as a new process would."""
    from accelerate.state import AcceleratorState, GradientState

    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()  # a killed run may have stood between two parts of an update


def filtered_groups(checkpoint: Path, folder: Path) -> None:
    """Three groups of four: the second one is cut in two; three rows of seven have spread."""
    from tests.trainer.checked_trainers import run_grpo
    from tests.trainer.small_runs import filtered_recipe, says_with_spread, seven_rows

    recipe = filtered_recipe(checkpoint, folder, per_device_train_batch_size=6)
    trainer = run_grpo(recipe, folder / "two", seven_rows(folder), says=says_with_spread)
    keep_weights(folder, trainer.model)


def keep_weights(folder: Path, model: Any) -> None:
    from safetensors.torch import save_file

    from tests.trainer.loops.sharded import whole_weights

    save_file(whole_weights(model), folder / f"weights-{os.environ['RANK']}.safetensors")


def note(folder: Path, **seen: Any) -> None:
    (folder / f"seen-{os.environ['RANK']}.json").write_text(json.dumps(seen))


def main(mode: str, checkpoint: Path, folder: Path, names: list[str]) -> None:
    """Run the named cases, each in a folder of its name; see `sharded.FILES` for the modes."""
    from tests.trainer.loops.sharded import environment

    os.environ.update(environment(mode))
    for name in names:
        case = folder / name
        case.mkdir(exist_ok=True)
        globals()[name](checkpoint, case, **({} if mode == "whole" else {"mode": mode}))
        forget()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[3]))
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
