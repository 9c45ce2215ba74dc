"""Give the trained weights to a sampler of another engine: one by one, or as a folder of files.

TRL's iteration gathers sharded weights (FSDP, DeepSpeed) and merges adapters. Gathering is a
collective operation: every process has to iterate, whoever uses the weights.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

_LARGEST_FILE = 4 << 30
"""Bytes of weights after which another file begins: what is held in memory beside the model."""


class TrainedWeights:
    """The weights of a trainer's model, under the names that they have in a checkpoint."""

    def __init__(self) -> None:
        self._source: Any = None

    def of(self, trainer: Any) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield name and value of every weight; all processes have to take them all."""
        if self._source is None:
            self._source = _make_source(trainer)
        found: Iterator[tuple[str, torch.Tensor]] = self._source._iter_named_params()
        return found

    def write(self, trainer: Any, folder: Path, dtype: torch.dtype) -> None:
        """Write the weights as safetensors files; one process writes, all take part.

        Args:
            trainer: Whose model.
            folder: A new folder; it has its name only once it is complete.
            dtype: Number format of the files.
        """
        writes = trainer.accelerator.is_main_process
        partial = folder.with_name(f".{folder.name}.partial")
        if writes:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
        held: dict[str, torch.Tensor] = {}
        files = 0
        for name, value in self.of(trainer):
            if not writes:
                continue
            # A copy: a merged adapter is taken out of the weights again.
            held[name] = value.detach().to("cpu", dtype, copy=True).contiguous()
            if sum(one.nbytes for one in held.values()) >= _LARGEST_FILE:
                files = _write_file(partial, held, files)
        if writes:
            if held:
                _write_file(partial, held, files)
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)


def _write_file(folder: Path, held: dict[str, torch.Tensor], files: int) -> int:
    """Write the weights that are held, and hold none; return the number of files so far."""
    from safetensors.torch import save_file

    name = f"model-{files:05}" if files else "model"  # of one file as transformers calls it
    save_file(held, folder / f"{name}.safetensors", metadata={"format": "pt"})
    held.clear()
    return files + 1


def _make_source(trainer: Any) -> Any:
    """Return TRL's iteration over the trained weights, gathered and merged where necessary."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TRL warns of vLLM versions that it does not know
        from trl.generation.vllm_generation import VLLMGeneration

    class Weights(VLLMGeneration):  # type: ignore[misc]
        def _init_vllm(self) -> None:
            """Start no engine: the samplers here have one, or servers."""

    return Weights(trainer.model, trainer.accelerator, trainer.processing_class)
