"""Tries what an engine needs of a checkpoint without reading its weights: for a dry run."""

from __future__ import annotations

import warnings

from harness.backends import chat
from harness.backends.transformers import refuse_partial
from harness.errors import BackendError
from harness.models.checkpoint import Checkpoint
from harness.plugins import importing, require


def check_engine(checkpoint: Checkpoint, backend: str) -> None:
    """Import the engine's packages, load the processor, and compare weight names with the model's.

    Raises:
        UsageError: A package cannot be imported.
        BackendError: The processor cannot be loaded or renders no prompt, or weights are missing.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # third-party imports warn
        for name in ("torch", "transformers"):
            require(name, backend)
        if backend == "vllm":
            from harness.backends.vllm_engine import VLLMConfig, prepare_environment

            prepare_environment(VLLMConfig())
            require("vllm", "vllm")
        elif checkpoint.adapter is not None:
            require("peft", backend)
        chat.load_processor(checkpoint)
        _compare_weights(checkpoint, backend)


def _compare_weights(checkpoint: Checkpoint, backend: str) -> None:
    """Build the model on torch's meta device and raise where the files lack one of its weights."""
    with importing("transformers", "transformers"):
        import transformers
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        _, report = transformers.AutoModelForImageTextToText.from_pretrained(
            checkpoint.path, device_map="meta", output_loading_info=True
        )
    except Exception as error:
        if backend == "vllm" and isinstance(error, ValueError):
            return  # vLLM has models that transformers lacks; it compares the names itself
        raise BackendError(
            f"transformers cannot load {checkpoint.path}: {type(error).__name__}: {error}"
        ) from error
    refuse_partial(checkpoint, report)
