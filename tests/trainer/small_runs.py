"""What the tests of the training loops share: rows with real media, recipes, direct forwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from harness.models.checkpoint import Checkpoint, full_checkpoint
from harness.schema import Kind, Media, MediaKind, Sample
from tests.clips import write_clip
from trainer.config.choices import Dtype
from trainer.config.recipe import (
    GRPORecipe,
    Recipe,
    SFTRecipe,
    TGRPORecipe,
)
from trainer.config.rl_sections import (
    RewardSettings,
    RolloutSettings,
    TemporalRewardSettings,
    TGRPORolloutSettings,
)
from trainer.config.sections import (
    DataSettings,
    FrameSettings,
    LoraSettings,
    ModelSettings,
    OptimSettings,
)
from trainer.config.variants import (
    ContrastRecipe,
    EvidenceRecipe,
    EvidenceRewardSettings,
    EvidenceRolloutSettings,
    GapRecipe,
    GapRewardSettings,
    UnscaledRecipe,
)
from trainer.data.rows import TrainingRow

SMALL = FrameSettings(
    fps=2.0,
    min_frames=4,
    max_frames=4,
    min_pixels=56 * 56,
    max_pixels=56 * 56,
    image_min_pixels=56 * 56,
    image_max_pixels=56 * 56,
)
OPTIONS = ("left", "right", "up", "down")


def write_media(folder: Path, videos: int = 3, images: int = 1) -> list[Media]:
    """Write videos of different lengths and images of different colours."""
    folder.mkdir(parents=True, exist_ok=True)
    media = [
        Media(path=write_clip(folder / f"{number}.mp4", 24 + 8 * number))
        for number in range(videos)
    ]
    for number in range(images):
        path = folder / f"{number}.png"
        pixels = np.full((60, 80, 3), 40 * number + 20, np.uint8)
        Image.fromarray(pixels).save(path)
        media.append(Media(path=path, kind=MediaKind.IMAGE))
    return media


def row(number: int, media: Media, **changes: Any) -> TrainingRow:
    """Make a multiple-choice row whose answer depends on its number."""
    answer = "ABCD"[number % 4]
    sample = Sample(
        id=f"row-{number}",
        task="train",
        question=f"Which way {number}?",
        answer=answer,
        kind=Kind.MULTIPLE_CHOICE,
        category="multiple choice",
        cluster=media.path.name,
        options=OPTIONS,
        media=(media,),
    )
    return TrainingRow(
        sample=replace(sample, **changes),
        solution=f"<answer>{answer}</answer>",
        rationale=f"<think>It goes {OPTIONS[number % 4]}.</think>",
    )


def rows(folder: Path, videos: int = 3, images: int = 1) -> list[TrainingRow]:
    """Make one row per medium."""
    return [row(number, one) for number, one in enumerate(write_media(folder, videos, images))]


def mixed_rows(folder: Path) -> list[TrainingRow]:
    """Make rows of two videos, an image, and a text alone."""
    if not folder.exists():
        write_media(folder, videos=2)
    image = Media(path=folder / "0.png", kind=MediaKind.IMAGE)
    media = (*(Media(path=folder / f"{number}.mp4") for number in range(2)), image)
    text = row(3, media[0])
    return [
        *(row(number, one) for number, one in enumerate(media)),
        replace(text, sample=replace(text.sample, media=())),
    ]


def half_broken(folder: Path) -> list[TrainingRow]:
    """Make two rows, of a sound video and of a file that is none; files that are there stay."""
    if not folder.exists():
        _, broken = write_media(folder, videos=2, images=0)
        broken.path.write_bytes(b"no video")
    return [row(0, Media(path=folder / "0.mp4")), row(4, Media(path=folder / "1.mp4"))]


def sft_recipe(checkpoint: Path, folder: Path, **optim: Any) -> SFTRecipe:
    return SFTRecipe(
        model=small_model(checkpoint),
        data=small_data(folder),
        frames=SMALL,
        optim=small_optim(**optim),
    )


def grpo_recipe(checkpoint: Path, folder: Path, **optim: Any) -> GRPORecipe:
    return GRPORecipe(
        model=small_model(checkpoint),
        data=small_data(folder),
        frames=SMALL,
        optim=small_optim(**{"per_device_train_batch_size": 8, **optim}),
        rollout=RolloutSettings(num_generations=4, max_completion_length=40),
        reward=RewardSettings(length_min=4, length_max=39),
    )


def tgrpo_recipe(checkpoint: Path, folder: Path, **optim: Any) -> TGRPORecipe:
    return TGRPORecipe(
        model=small_model(checkpoint),
        data=small_data(folder),
        frames=SMALL,
        optim=small_optim(**{"per_device_train_batch_size": 8, **optim}),
        rollout=TGRPORolloutSettings(
            num_generations=4, shuffled_group_size=2, max_completion_length=40
        ),
        reward=TemporalRewardSettings(length_min=4, length_max=39),
    )


def contrast_recipe(checkpoint: Path, folder: Path, **optim: Any) -> ContrastRecipe:
    base = tgrpo_recipe(checkpoint, folder, **optim)
    reward = RewardSettings(length_min=4, length_max=39)
    return ContrastRecipe(**_common(base), rollout=base.rollout, reward=reward)


def gap_recipe(checkpoint: Path, folder: Path, **optim: Any) -> GapRecipe:
    base = tgrpo_recipe(checkpoint, folder, **optim)
    reward = GapRewardSettings(length_min=4, length_max=39)
    return GapRecipe(**_common(base), rollout=base.rollout, reward=reward)


def unscaled_recipe(checkpoint: Path, folder: Path, **optim: Any) -> UnscaledRecipe:
    base = tgrpo_recipe(checkpoint, folder, **optim)
    return UnscaledRecipe(**_common(base), rollout=base.rollout, reward=base.reward)


def evidence_recipe(checkpoint: Path, folder: Path, **optim: Any) -> EvidenceRecipe:
    base = tgrpo_recipe(checkpoint, folder, **optim)
    return EvidenceRecipe(
        **_common(base),
        rollout=EvidenceRolloutSettings(num_generations=4, max_completion_length=40),
        reward=EvidenceRewardSettings(
            length_min=4, length_max=39, evidence_floor=0.0, evidence_clip=1e-3
        ),
    )


def _common(recipe: Recipe) -> dict[str, Any]:
    return {name: getattr(recipe, name) for name in ("model", "data", "frames", "optim")}


def update_recipe(
    kind: str,
    checkpoint: Path,
    folder: Path,
    *,
    share: bool,
    lora: LoraSettings | None = None,
    **optim: Any,
) -> GRPORecipe:
    """Make a recipe of one update of plain gradient descent: weights change by their gradient."""
    make = {"grpo": grpo_recipe, "tgrpo": tgrpo_recipe}[kind]
    plain = {"learning_rate": 1.0, "max_steps": 1, "weight_decay": 0.0, "max_grad_norm": 1e6}
    recipe = make(checkpoint, folder, **{**plain, **optim})
    return replace(
        recipe,
        model=replace(recipe.model, lora=lora),
        rollout=replace(recipe.rollout, share_prompt=share),
        trl={"optim": "sgd"},
    )


def filtered_recipe(checkpoint: Path, folder: Path, **optim: Any) -> GRPORecipe:
    """Two updates of groups of four; those without spread are replaced."""
    recipe = grpo_recipe(checkpoint, folder, max_steps=2, save_steps=2, **optim)
    return replace(recipe, rollout=replace(recipe.rollout, filter_groups=True))


def seven_rows(folder: Path) -> list[TrainingRow]:
    """Make seven rows about three videos and an image; files that are there stay."""
    media = write_media(folder / "media")
    return [row(number, media[number % 4]) for number in range(7)]


def says_with_spread(row_id: str, shuffled: bool, before: int) -> str:
    """Answer rows 1, 4 and 6 rightly every other time, and all others always."""
    number = int(row_id.removeprefix("row-"))
    right = number not in (1, 4, 6) or before % 2 == 0
    return f"<think>so</think>\n<answer>{'ABCD'[number % 4] if right else 'E'}</answer>"


def small_model(checkpoint: Path) -> ModelSettings:
    return ModelSettings(checkpoint=str(checkpoint), dtype=Dtype.FLOAT32)


def small_data(folder: Path) -> DataSettings:
    return DataSettings(rows=(folder,), media_roots=(folder,), decode_workers=0)


def small_optim(**changes: Any) -> OptimSettings:
    values = {
        "learning_rate": 1e-3,
        "max_steps": 2,
        "per_device_train_batch_size": 2,
        "gradient_checkpointing": False,
        "save_steps": 1,
    }
    return OptimSettings(**{**values, **changes})


def checkpoint_of(recipe: Recipe) -> Checkpoint:
    return full_checkpoint(recipe.model.checkpoint)


def load_small(checkpoint: str | Path) -> Any:
    """Load a checkpoint in float32."""
    from trainer.loops.model import load

    return load(full_checkpoint(str(checkpoint)), small_model(Path(checkpoint)))


def see(checkpoint: Path, folder: Path) -> tuple[Any, list[Any]]:
    """Load a model, and build the inputs of two videos, an image and a text."""
    from trainer.loops.clips import ClipLoader
    from trainer.loops.inputs import InputBuilder

    loaded = load_small(checkpoint)
    data = mixed_rows(folder / "media")
    multiple = loaded.checkpoint.patch_multiple
    with ClipLoader(SMALL, small_data(folder), patch_multiple=multiple) as clips:
        inputs = InputBuilder(loaded.processor, clips, cache_mib=64)
        return loaded, inputs.build(inputs.start(one.sample for one in data))


def train_small(algorithm: Any, recipe: Recipe, out: Path, **options: Any) -> None:
    """Run an algorithm's module as `trainer.runs.train` does."""
    algorithm.train(recipe, out, checkpoint=checkpoint_of(recipe), **options)
