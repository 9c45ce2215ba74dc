"""Spread a trainer's weights over CPU processes as the files in ``launch`` do on GPUs.

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
from trainer.algorithms.sft import VideoSFTTrainer
from trainer.config.recipe import SFTRecipe
from trainer.data.rows import TrainingRow
from trainer.loops.callbacks import MetricsFile
from trainer.loops.clips import ClipLoader
from trainer.loops.inputs import InputBuilder
from trainer.loops.model import train_on
from trainer.loops.trl_arguments import make_config
from trainer.loops.trl_names import SFTConfig

LAUNCH = ROOT / "trainer" / "launch"
FILES = {"sharded": "fsdp.yaml", "zero2": "zero2.yaml", "zero3": "zero3.yaml"}


def environment(mode: str) -> dict[str, str]:
    """Return the variables that ``accelerate launch`` makes of a mode's file; none of ``whole``."""
    if mode not in FILES:
        return {}
    settings = yaml.safe_load((LAUNCH / FILES[mode]).read_text(encoding="utf-8"))
    if mode == "sharded":
        given, prefix = settings["fsdp_config"], ""
        switches = {"ACCELERATE_USE_FSDP": "true"}
    else:
        given, prefix = settings["deepspeed_config"], "ACCELERATE_DEEPSPEED_"
        given["zero3_init"] = given["zero3_init_flag"]
        switches = {"ACCELERATE_USE_DEEPSPEED": "true", "DS_ACCELERATOR": "cpu"}
    return switches | {f"{prefix}{name}".upper(): str(value) for name, value in given.items()}


class Sharded:
    """Mixin before a trainer: makes Accelerate shard on CPUs, which it does on GPUs only."""

    def create_accelerator_and_postprocess(self) -> None:
        super().create_accelerator_and_postprocess()
        state = self.accelerator.state
        state.fsdp_plugin = FullyShardedDataParallelPlugin()
        if self.args.bf16:
            state.fsdp_plugin.set_mixed_precision("bf16")
        _switch(state, DistributedType.FSDP)
        self.is_fsdp_enabled = True


class WithDeepSpeed:
    """Mixin before a trainer: makes Accelerate use DeepSpeed on CPUs."""

    def __init__(self, **arguments: Any) -> None:
        import sys

        import deepspeed
        import deepspeed.comm

        # It would compile a kernel for reductions in shared memory, which takes minutes.
        sys.modules["deepspeed.comm.torch"].build_shm_op = lambda: None  # type: ignore[attr-defined]
        deepspeed.init_distributed(dist_backend="gloo", auto_mpi_discovery=False)
        super().__init__(**arguments)

    def create_accelerator_and_postprocess(self) -> None:
        from transformers.trainer import propagate_args_to_deepspeed

        super().create_accelerator_and_postprocess()
        state, plugin = self.accelerator.state, self.args.deepspeed_plugin
        state.deepspeed_plugins = {"default": plugin}
        plugin.set_mixed_precision("bf16" if self.args.bf16 else "no")
        plugin.select(_from_accelerator_state=True)
        _switch(state, DistributedType.DEEPSPEED)
        self.is_deepspeed_enabled = True
        propagate_args_to_deepspeed(self.accelerator, self.args)
        self.accelerator.deepspeed_engine_wrapped = None


_MIXINS = {"sharded": Sharded, "zero2": WithDeepSpeed, "zero3": WithDeepSpeed}


def spread(mode: str, kind: Any) -> Any:
    """Return a trainer class like `kind` that spreads its weights as the mode says."""
    return type(kind.__name__, (_MIXINS[mode], kind), {}) if mode in _MIXINS else kind


def _switch(state: Any, kind: DistributedType) -> None:
    state.distributed_type = kind
    PartialState._shared_state["distributed_type"] = kind


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
    return {name: _gather(weight) for name, weight in model.named_parameters()}


def _gather(weight: Any) -> torch.Tensor:
    if hasattr(weight, "full_tensor"):
        return weight.full_tensor().detach().clone()
    if not hasattr(weight, "ds_id"):
        return weight.detach().clone()
    import deepspeed

    with deepspeed.zero.GatheredParameters([weight]):
        return weight.detach().clone()
