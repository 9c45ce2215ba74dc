"""One arm of `bench_train`: our GRPO or T-GRPO, or TRL's trainer on the frames as images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset
from PIL import Image

from harness.models.checkpoint import full_checkpoint
from harness.schema import Sample
from harness.scoring import prompts
from tests.bench.train.shapes import BETA, GROUP, Shape
from tests.bench.train.timing import UPDATE, Timed
from tests.trainer.work_counts import WorkCounts, count_work
from trainer.algorithms.grpo import VideoGRPOTrainer, grpo_rewards
from trainer.algorithms.tgrpo import VideoTGRPOTrainer, tgrpo_rewards
from trainer.loops.model import load, lora_config
from trainer.loops.rollout_run import rollout_run
from trainer.loops.trl_arguments import grpo_config
from trainer.loops.trl_names import GRPOTrainer

ARMS = ("grpo", "tgrpo", "trl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one run of an arm took, without its first update."""

    arm: str
    seconds: dict[str, list[float]]
    counts: WorkCounts
    updates: int
    """Updates that `counts` is of, the first included."""
    processed: int
    """Prompts that the processor got."""

    def row(self, medians: dict[str, float]) -> dict[str, float]:
        """Return the columns of the table."""
        counts = self.counts
        return medians | {
            "encodings": sum(counts.media) / self.updates,
            "prefixes": sum(counts.prompts) / self.updates,
            "tokens": sum(counts.tokens) / self.updates,
            "processed": self.processed / self.updates,
        }


def measure(arm: str, shape: Shape, checkpoint: Path, work: Path, updates: int) -> Measured:
    """Train an arm for some updates."""
    with count_prompts(checkpoint) as processed:
        trainer, counts = (_run_trl if arm == "trl" else _run_ours)(
            arm, shape, checkpoint, work, updates
        )
    kept = {name: values[1:] for name, values in trainer.seconds.items()}
    assert len(kept[UPDATE]) == updates - 1
    return Measured(arm=arm, seconds=kept, counts=counts, updates=updates, processed=processed[0])


def _run_ours(
    arm: str, shape: Shape, checkpoint: Path, work: Path, updates: int
) -> tuple[Any, WorkCounts]:
    recipe = shape.recipe(arm, checkpoint, work, updates)
    rows = shape.rows(work / "media")
    with rollout_run(
        recipe, work / arm, checkpoint=full_checkpoint(str(checkpoint)), rows=rows, callbacks=()
    ) as run:
        if arm == "grpo":
            trainer = _OurGRPO(**run.arguments(grpo_rewards(recipe.reward)))
        else:
            arguments = run.arguments(tgrpo_rewards(recipe.reward))
            trainer = _OurTGRPO(rollout=recipe.rollout, **arguments)
        return trainer, _train(trainer, shape)


def _run_trl(
    arm: str, shape: Shape, checkpoint: Path, work: Path, updates: int
) -> tuple[Any, WorkCounts]:
    """Train TRL's trainer on the same clips, one image per pair of frames.

    An image has the patches and the tokens of a pair. The images are in memory, and the reward
    function does nothing.
    """
    recipe = shape.recipe("grpo", checkpoint, work, updates)
    loaded = load(full_checkpoint(str(checkpoint)), recipe.model)
    config = grpo_config(recipe, work / arm, loaded.vision_ids)
    config.reward_weights = None
    images = [
        Image.new("RGB", (shape.side, shape.side), (at * 13 % 255, 60, 90))
        for at in range(shape.frames // 2)
    ]
    rows = shape.rows(work / "media")
    data = Dataset.from_dict({"number": range(len(rows))})
    data.set_transform(
        lambda batch: {
            "prompt": [
                [{"role": "user", "content": _text(rows[at].sample)}] for at in batch["number"]
            ],
            "images": [images for _ in batch["number"]],
        }
    )
    trainer = _TheirGRPO(
        model=loaded.model,
        processing_class=loaded.processor,
        args=config,
        reward_funcs=[_no_reward],
        train_dataset=data,
        peft_config=lora_config(recipe.model.lora) if recipe.model.lora else None,
    )
    return trainer, _train(trainer, shape)


def _train(trainer: Any, shape: Shape) -> WorkCounts:
    # Every answer is as long as the shape says.
    trainer.generation_config.min_new_tokens = shape.answer
    models = [trainer.model] if trainer.ref_model is None else [trainer.model, trainer.ref_model]
    with count_work(*models) as counts:
        trainer.train()
    assert trainer.beta == BETA
    assert trainer.num_generations == GROUP
    return counts


class _OurGRPO(Timed, VideoGRPOTrainer):
    pass


class _OurTGRPO(Timed, VideoTGRPOTrainer):
    pass


class _TheirGRPO(Timed, GRPOTrainer):  # type: ignore[misc]
    pass


def _text(sample: Sample) -> str:
    return prompts.video_r1(sample.question, sample.kind, sample.options)


def _no_reward(completions: Sequence[Any], **_: Any) -> list[float]:
    return [0.0] * len(completions)


@contextmanager
def count_prompts(checkpoint: Path) -> Iterator[list[int]]:
    """Count the prompts that the checkpoint's class of processor gets."""
    from transformers import AutoProcessor

    kind = type(AutoProcessor.from_pretrained(checkpoint))
    seen, call = [0], kind.__call__

    def counted(self: Any, *args: Any, **options: Any) -> Any:
        text = options.get("text", args[1] if len(args) > 1 else None)
        seen[0] += len(text) if isinstance(text, list) else 1
        return call(self, *args, **options)

    kind.__call__ = counted
    try:
        yield seen
    finally:
        kind.__call__ = call
