"""Shard a trainer's weights over CPU processes as ``launch/fsdp.yaml`` does on GPUs.

The launcher's settings come from the environment; see `environment`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from accelerate import PartialState
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin

from tests.paths import ROOT
from tests.trainer.small_runs import load_small
from trainer.algorithms.grpo import VideoGRPOTrainer
from trainer.algorithms.sft import VideoSFTTrainer
from trainer.algorithms.tgrpo import VideoTGRPOTrainer
from trainer.algorithms.tgrpo_evidence import VideoEvidenceTrainer
from trainer.config.recipe import SFTRecipe
from trainer.data.rows import TrainingRow
from trainer.loops.callbacks import MetricsFile
from trainer.loops.clips import ClipLoader
from trainer.loops.inputs import InputBuilder
from trainer.loops.model import train_on
from trainer.loops.trl_arguments import make_config
from trainer.loops.trl_names import SFTConfig

LAUNCH = ROOT / "trainer" / "launch" / "fsdp.yaml"


def environment() -> dict[str, str]:
    """Return the variables that ``accelerate launch`` makes of the file."""
    settings = yaml.safe_load(LAUNCH.read_text(encoding="utf-8"))["fsdp_config"]
    return {"ACCELERATE_USE_FSDP": "true"} | {
        name.upper(): str(value) for name, value in settings.items()
    }


class Sharded:
    """Mixin before a trainer: makes Accelerate shard on CPUs, which it does on GPUs only."""

    def create_accelerator_and_postprocess(self) -> None:
        super().create_accelerator_and_postprocess()
        state = self.accelerator.state
        state.fsdp_plugin = FullyShardedDataParallelPlugin()
        if self.args.bf16:
            state.fsdp_plugin.set_mixed_precision("bf16")
        state.distributed_type = DistributedType.FSDP
        PartialState._shared_state["distributed_type"] = DistributedType.FSDP
        self.is_fsdp_enabled = True


class ShardedSFT(Sharded, VideoSFTTrainer):
    pass


class ShardedTGRPO(Sharded, VideoTGRPOTrainer):
    pass


class ShardedEvidence(Sharded, VideoEvidenceTrainer):
    pass


class ShardedGRPO(Sharded, VideoGRPOTrainer):
    pass


def run_sft(
    recipe: SFTRecipe,
    out: Path,
    rows: Sequence[TrainingRow],
    kind: type[VideoSFTTrainer],
    callbacks: Sequence[Any] = (),
) -> Any:
    """Train as `trainer.algorithms.sft.train` does, and return the trainer to be looked at."""
    loaded = load_small(recipe.model.checkpoint)
    with ClipLoader(
        recipe.frames, recipe.data, patch_multiple=loaded.checkpoint.patch_multiple
    ) as clips:
        trainer = kind(
            rows=rows,
            inputs=InputBuilder(loaded.processor, clips, cache_mib=recipe.data.cache_mib),
            vision_ids=loaded.vision_ids,
            model=loaded.model,
            processing_class=loaded.processor,
            args=make_config(
                SFTConfig,
                recipe,
                out,
                dataset_kwargs={"skip_prepare_dataset": True},
                max_length=None,
            ),
            callbacks=[MetricsFile(out), *callbacks],
        )
        train_on(trainer, out)
    return trainer


def whole_weights(model: Any) -> dict[str, torch.Tensor]:
    """Return the whole weights; all processes have to call this."""
    return {
        name: (weight.full_tensor() if hasattr(weight, "full_tensor") else weight).detach().clone()
        for name, weight in model.named_parameters()
    }
