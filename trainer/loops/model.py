"""Load the model and processor for training, and restore them from a checkpoint of the run."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from harness.backends import chat, positions
from harness.errors import CheckpointError, HarnessError, UsageError
from harness.models.checkpoint import Checkpoint
from harness.plugins import importing, require
from trainer.config.choices import Dtype
from trainer.config.sections import LoraSettings, ModelSettings
from trainer.loops import forward
from trainer.loops.callbacks import EqualModes, LogAtCheckpoints, SaveAtTerm, StopFile
from trainer.loops.finite import FiniteUpdates, require_finite
from trainer.loops.phases import TimedUpdates
from trainer.loops.shared_cache import pass_cache
from trainer.runs.checkpoints import is_finished, newest_checkpoint
from trainer.runs.failures import explain
from trainer.runs.folder import STOP
from trainer.watch.model_card import note_versions, renew_card, write_card


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A checkpoint whose model and processor are in memory."""

    checkpoint: Checkpoint
    model: Any
    processor: Any

    @property
    def vision_ids(self) -> dict[str, int]:
        """The placeholder token of each modality."""
        return forward.vision_ids(self.model)


def load(checkpoint: Checkpoint, settings: ModelSettings) -> Loaded:
    """Load a checkpoint, which `full_checkpoint` has resolved, for training.

    Trained weights are float32, whatever the precision of the computation: an update of 1e-6 is
    lost in bfloat16. Weights that stay frozen under a LoRA adapter have the configured precision.

    Raises:
        UsageError: The checkpoint cannot be loaded, or does not take videos.
    """
    processor = chat.load_processor(checkpoint)
    if getattr(processor, "video_processor", None) is None:
        raise CheckpointError(f"{checkpoint.path} has no video processor; copy the base model's")
    model = _load_model(checkpoint, settings)
    prepare_model(model)
    if settings.freeze_vision:
        _freeze_vision(model)
    return Loaded(checkpoint=checkpoint, model=model, processor=processor)


def prepare_model(model: Any) -> None:
    """Give a policy or reference model the positions and vision inputs that training needs.

    Call it before anything wraps the model.
    """
    positions.fix_rope_positions(model)
    forward.extend(model)
    model.base_model.register_forward_pre_hook(pass_cache, with_kwargs=True)


def lora_config(settings: LoraSettings) -> Any:
    """Return the settings as peft's `LoraConfig`; the vision tower gets no adapter."""
    with importing("peft", "train"):
        import peft
    return peft.LoraConfig(
        r=settings.r,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=list(settings.target_modules),
        exclude_modules=r".*visual.*",
        task_type="CAUSAL_LM",
    )


class ExactResume(TimedUpdates, FiniteUpdates):
    """Mixin for a `transformers.Trainer` class: resumes with exactly the saved weights.

    It also logs numbers alone, and stops at an update that is not finite.
    """

    model: Any
    algorithm: str
    """Name of the algorithm, for the model card."""
    _metrics: dict[str, dict[str, list[float]]]

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log without the metrics that have no value, and with the mean loss of the whole run."""
        for metrics in self._metrics.values():
            for name, values in list(metrics.items()):
                metrics[name] = [value for value in values if math.isfinite(value)]
                if not metrics[name]:
                    del metrics[name]
        if "train_loss" in logs:  # the Trainer's own is of the updates since the last resume
            logs["train_loss"] = mean_loss(self.state.log_history)
        trainer: Any = super()
        trainer.log(logs, start_time)

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Write the card of the run: where it started, recipe, data, scores, versions."""
        if self.accelerator.is_main_process:
            note_versions(Path(self.args.output_dir))
            start = str(getattr(self.model.config, "_name_or_path", "") or "a checkpoint")
            write_card(Path(self.args.output_dir), algorithm=self.algorithm, start=start)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Load a checkpoint's weights with ``from_pretrained``, which maps their names.

        A Qwen2.5-VL checkpoint has other weight names than the model in memory. The Trainer's own
        loading compares names without mapping and ignores missing ones: it would restore optimizer,
        step and random state, and continue with the starting weights (see
        github.com/modelscope/ms-swift issue 7947). Adapters and the sharded formats of FSDP and
        DeepSpeed have the names of the model in memory; for them its own loading is right.
        """
        trainer: Any = super()
        sharded = getattr(self, "is_fsdp_enabled", False) or getattr(
            self, "is_deepspeed_enabled", False
        )
        if sharded or hasattr(self.model, "peft_config"):
            trainer._load_from_checkpoint(resume_from_checkpoint, model)
        else:
            restore_weights(self.model, Path(resume_from_checkpoint))


def mean_loss(history: Iterable[Mapping[str, Any]]) -> float:
    """Return the mean loss of all logged updates; a line is of those since the line before."""
    total, last = 0.0, 0
    for line in history:
        if "loss" in line:
            total += line["loss"] * (line["step"] - last)
            last = line["step"]
    return total / max(1, last)


def train_on(trainer: Any, out: Path) -> None:
    """Train from the newest complete checkpoint in `out`, or from the start.

    Training ends early, with a last checkpoint, once the file `STOP` exists there.

    Raises:
        HarnessError: The training ended early; the message names update and newest checkpoint.
        TrainingFault: Unexpectedly so.
        KeyboardInterrupt: SIGTERM came; the last update has a checkpoint.
    """
    trainer.add_callback(StopFile(out / STOP))
    terminated = SaveAtTerm()
    trainer.add_callback(terminated)
    trainer.add_callback(LogAtCheckpoints())
    trainer.add_callback(EqualModes())
    newest = newest_checkpoint(out)
    _widen_trained_weights(trainer.model)
    try:
        trainer.train(resume_from_checkpoint=None if newest is None else str(newest))
    except HarnessError:
        raise
    except Exception as error:
        raise explain(error, trainer.state.global_step, out) from error
    finally:
        terminated.restore()
    if trainer.accelerator.is_main_process:
        renew_card(out)  # the one of the last checkpoint was written before it
    if terminated.received and not is_finished(out):
        raise KeyboardInterrupt


def _widen_trained_weights(model: Any) -> None:
    """Make trained weights float32: TRL turns the adapter of a model in 4 bits into bfloat16."""
    for weight in model.parameters():
        if weight.requires_grad and weight.dtype is torch.bfloat16:
            weight.data = weight.data.float()


def restore_weights(model: Any, folder: Path) -> None:
    """Load the weights in `folder` into `model`.

    Raises:
        CheckpointError: Weights are missing, unexpected or of another shape.
    """
    saved, report = type(model).from_pretrained(
        str(folder), dtype=model.dtype, output_loading_info=True
    )
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if report[kind]:
            names = sorted(str(name) for name in report[kind])
            raise CheckpointError(
                f"{folder} cannot be resumed from: {len(names)} {kind.replace('_', ' ')}, first"
                f" {names[0]}; resume from another checkpoint"
            )
    require_finite(saved.named_parameters(), folder)
    with torch.no_grad():
        model.load_state_dict(saved.state_dict(), strict=True)


def _load_model(checkpoint: Checkpoint, settings: ModelSettings) -> Any:
    with importing("transformers", "train"):
        import transformers
    if settings.load_in_4bit:
        require("bitsandbytes", "qlora")
    half = settings.dtype is Dtype.BFLOAT16 and settings.lora is not None
    transformers.logging.disable_progress_bar()
    try:
        model, report = transformers.AutoModelForImageTextToText.from_pretrained(
            str(checkpoint.path),
            dtype=torch.bfloat16 if half else torch.float32,
            attn_implementation=settings.attn_implementation,
            output_loading_info=True,
            **(_in_4bit(settings) if settings.load_in_4bit else {}),
        )
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise CheckpointError(f"transformers cannot load {checkpoint.path}: {error}") from error
    if report["missing_keys"]:
        absent = sorted(report["missing_keys"])
        raise CheckpointError(
            f"{checkpoint.path} lacks {len(absent)} weights of its own architecture, first"
            f" {absent[0]}; the checkpoint is incomplete"
        )
    require_finite(model.named_parameters(), checkpoint.path)
    return model


def _in_4bit(settings: ModelSettings) -> dict[str, Any]:
    """Return the arguments of ``from_pretrained`` for QLoRA; vision tower and head stay whole."""
    from transformers import BitsAndBytesConfig

    compute = torch.bfloat16 if settings.dtype is Dtype.BFLOAT16 else torch.float32
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
        llm_int8_skip_modules=["visual", "model.visual", "lm_head"],
    )
    # Weights in 4 bits stay where they are loaded.
    device = int(os.environ.get("LOCAL_RANK", "0")) if torch.cuda.is_available() else "cpu"
    return {"quantization_config": config, "device_map": {"": device}}


def _freeze_vision(model: Any) -> None:
    tower = getattr(model.base_model, "visual", None)
    if tower is None:
        raise UsageError(
            f"model.freeze_vision: {type(model).__name__} has no vision tower named 'visual'"
        )
    tower.requires_grad_(False)
