"""Fine-tune on rows with a rationale (SFT): the cold start before reinforcement learning.

Only completions are in the loss, neither the user's turn nor vision tokens. The paper's published
code has the user's turn in the loss, and for Qwen2.5-VL the video tokens as well: the collator in
``src/r1-v/src/open_r1/sft_video.py`` of github.com/tulerfeng/Video-R1 at 59d65c3.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers.trainer_callback import PrinterCallback

from harness.models.checkpoint import Checkpoint
from trainer.config.recipe import SFTRecipe
from trainer.data.checks import require_media_files
from trainer.data.rows import TrainingRow
from trainer.loops import collate
from trainer.loops.callbacks import MetricsFile
from trainer.loops.clips import ClipLoader
from trainer.loops.input_cache import make_input_cache
from trainer.loops.inputs import InputBuilder, warn_of_failures
from trainer.loops.model import (
    ExactResume,
    load,
    lora_config,
    train_on,
)
from trainer.loops.phase_clock import POLICY
from trainer.loops.phases import time_methods
from trainer.loops.targets import tokenize_target
from trainer.loops.trl_arguments import make_config
from trainer.loops.trl_names import SFTConfig, SFTTrainer
from trainer.loops.wanted_states import KEPT


def train(
    recipe: SFTRecipe,
    out: Path,
    *,
    checkpoint: Checkpoint,
    rows: Sequence[TrainingRow],
    callbacks: Sequence[Any] = (),
) -> None:
    """Train into `out`, from its last checkpoint where there is one.

    Args:
        recipe: What to train, on what, and how.
        out: Folder of the run: ``checkpoint-N`` folders and ``metrics.jsonl``.
        checkpoint: What training starts from.
        rows: The rows to train on.
        callbacks: Callbacks of transformers' Trainer, for progress or evaluation.

    Raises:
        UsageError: The checkpoint or the rows cannot be trained on.
    """
    require_media_files(rows)
    loaded = load(checkpoint, recipe.model)
    with (
        ClipLoader(
            recipe.frames, recipe.data, patch_multiple=loaded.checkpoint.patch_multiple
        ) as clips,
        closing(
            InputBuilder(
                loaded.processor,
                clips,
                cache_mib=recipe.data.cache_mib,
                disk=make_input_cache(recipe, loaded.checkpoint),
            )
        ) as inputs,
    ):
        trainer = VideoSFTTrainer(
            rows=rows,
            inputs=inputs,
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
            peft_config=lora_config(recipe.model.lora) if recipe.model.lora else None,
            callbacks=[MetricsFile(out), *callbacks],
        )
        train_on(trainer, out)


@time_methods({"compute_loss": POLICY})
class VideoSFTTrainer(ExactResume, SFTTrainer):  # type: ignore[misc]
    """`SFTTrainer` on rows whose media are decoded when their batch comes up.

    Args:
        rows: Rows to train on; each needs a rationale.
        inputs: Builds prompts with their media.
        vision_ids: The placeholder token of each modality.
        trl: Arguments of `SFTTrainer`; the model is one that `trainer.loops.model.load` returned.
    """

    algorithm = "sft"

    def __init__(
        self,
        *,
        rows: Sequence[TrainingRow],
        inputs: InputBuilder,
        vision_ids: dict[str, int],
        **trl: Any,
    ) -> None:
        tokenizer = trl["processing_class"].tokenizer
        collator = Collator(rows, inputs, tokenizer)
        super().__init__(
            # The dataset has row numbers only: Arrow would add missing keys and copy pixels.
            train_dataset=Dataset.from_dict({"row": range(len(rows))}),
            data_collator=collator,
            **trl,
        )
        self.remove_callback(PrinterCallback)
        # Qwen2.5-VL sets this to False for its own loss. TRL's loss, used here, is divided by the
        # tokens of all passes and processes of an update, so that their number changes nothing.
        self.model_accepts_loss_kwargs = True
        self._total_train_tokens: int
        self._inputs = inputs
        self._vision_ids = vision_ids

    def _send_telemetry(self) -> None:
        """Send nothing: TRL would report usage to Hugging Face."""

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], *positional: Any, **options: Any
    ) -> Any:
        """Build the batch from its decoded media, and return TRL's loss on it."""
        rows = self._inputs.build(inputs["pending"])
        warn_of_failures(rows)
        if not self._total_train_tokens and self.state.log_history:  # TRL restarts the count
            self._total_train_tokens = int(self.state.log_history[-1].get("num_tokens", 0))
        failed = torch.tensor([row.failure is not None for row in rows])
        everywhere = self.accelerator.gather(failed.sum().to(self.accelerator.device))
        self._metrics["train"]["failed_rows"].append(float(everywhere.sum()))
        everywhere = self.accelerator.gather(torch.tensor(len(rows), device=everywhere.device))
        self._metrics["train"]["rows"].append(float(everywhere.sum()))
        labels = inputs["labels"].clone()
        labels[failed] = collate.IGNORED
        batch = collate.make_batch(
            rows, inputs["completions"], self._vision_ids, self._tokenizer.pad_token_id
        )
        batch = {**self._prepare_inputs(batch), "labels": labels, KEPT: labels.shape[1]}
        return super().compute_loss(model, batch, *positional, **options)


class Collator:
    """Starts the decoding of a batch and tokenizes its answers; `compute_loss` builds the rest."""

    def __init__(self, rows: Sequence[TrainingRow], inputs: InputBuilder, tokenizer: Any) -> None:
        self._rows = rows
        self._inputs = inputs
        self._tokenizer = tokenizer
        self._answer = lru_cache(maxsize=4096)(self._tokenize_target)

    def __call__(self, examples: Sequence[dict[str, int]]) -> dict[str, Any]:
        """Return pending media, completion ids, and labels.

        Labels have shape (rows, 1 + completion): the logits of the column before the completion
        predict its first token.
        """
        numbers = [example["row"] for example in examples]
        completions = [self._answer(number) for number in numbers]
        labels = collate.padded([[collate.IGNORED, *ids] for ids in completions], collate.IGNORED)
        return {
            "pending": self._inputs.start(self._rows[number].sample for number in numbers),
            "completions": completions,
            "labels": labels,
        }

    def _tokenize_target(self, number: int) -> list[int]:
        return tokenize_target(self._tokenizer, self._rows[number])
