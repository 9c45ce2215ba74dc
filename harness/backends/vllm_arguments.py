"""Checks ``--engine-arg`` and ``--quantization`` against the vLLM that is installed.

Names and values are read by vLLM's own command line parser, so that whatever ``vllm serve`` takes
is taken here. Arguments that this program sets itself are refused with the reason.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, NoReturn

from harness.backends.vllm_engine import VLLMConfig, prepare_environment
from harness.errors import UsageError
from harness.plugins import importing
from harness.text.stored import as_text

_CHECKPOINT = "the checkpoint is the command's first argument, and run.json holds its identity"
_PARTS = "the checkpoint's own files decide it"
_FRAMES = "it is set so that the model sees the frames of the protocol"
_ADAPTER = "it follows from the checkpoint; name an adapter folder to evaluate an adapter"
_SAMPLING = "the protocol says how text is generated"
_THOUGHTS = "--reasoning and --thinking-budget decide it"
_TIMING = "the timing of the run is measured with it"
_KIND = "only text generation about videos can be evaluated"
_ONE = "an evaluation drives one engine"
_REFUSED: Mapping[str, str] = {
    **dict.fromkeys(("model", "model_weights", "served_model_name"), _CHECKPOINT),
    **dict.fromkeys(
        (
            "tokenizer", "skip_tokenizer_init", "hf_config_path", "config_format", "revision",
            "code_revision", "tokenizer_revision",
        ), _PARTS,
    ),
    **dict.fromkeys(
        (
            "limit_mm_per_prompt", "media_io_kwargs", "mm_processor_kwargs",
            "mm_device_do_normalize", "enable_mm_embeds", "interleave_mm_strings",
        ), _FRAMES,
    ),
    **dict.fromkeys(
        ("enable_lora", "max_lora_rank", "max_loras", "default_mm_loras", "lora_target_modules"),
        _ADAPTER,
    ),
    **dict.fromkeys(("generation_config", "override_generation_config", "seed"), _SAMPLING),
    **dict.fromkeys(
        (
            "disable_log_stats", "enable_logging_iteration_details", "enable_mm_processor_stats",
            "aggregate_engine_logging",
        ), _TIMING,
    ),
    **dict.fromkeys(
        (
            "runner", "convert", "enable_prompt_embeds", "language_model_only", "mm_encoder_only",
            "pooler_config", "io_processor_plugin",
        ), _KIND,
    ),
    **dict.fromkeys(
        ("reasoning_config", "reasoning_parser", "reasoning_parser_plugin"), _THOUGHTS
    ),
    **dict.fromkeys(("nnodes", "node_rank", "master_addr", "master_port"), _ONE),
}  # fmt: skip
_FLAGS = {
    "dtype": "--dtype",
    "quantization": "--quantization",
    "tensor_parallel_size": "--tensor-parallel",
    "gpu_memory_utilization": "--gpu-memory-utilization",
    "max_num_seqs": "--max-num-seqs",
    "max_model_len": "--max-model-len",
}
"""Arguments that have a flag of their own."""
_PREFIXES = {"data_parallel": _ONE}
"""Arguments that are refused by the beginning of their name."""
_SAME_ANSWERS = frozenset({
    "cpu_offload_gb", "device_ids", "distributed_executor_backend",
    "distributed_timeout_seconds", "download_dir", "enable_prefix_caching", "enable_sleep_mode",
    "kv_cache_memory_bytes", "kv_cache_metrics", "log_level",
    "max_num_batched_tokens", "max_parallel_loading_workers", "mm_processor_cache_gb",
    "mm_processor_cache_type", "mm_shm_cache_max_object_size_mb", "model_loader_extra_config",
    "num_gpu_blocks_override", "numa_bind", "numa_bind_cpus", "numa_bind_nodes",
    "otlp_traces_endpoint", "renderer_num_workers", "safetensors_load_strategy",
    "safetensors_prefetch_block_size", "safetensors_prefetch_num_threads", "skip_mm_profiling",
})  # fmt: skip
"""Arguments about memory, places and logs, with which a run may be resumed differently."""


def check_quantization(name: str | None) -> None:
    """Raise `UsageError` where vLLM has no quantization of a name."""
    if name is None:
        return
    with _vllm(), importing("vllm", "vllm"):
        from vllm.model_executor.layers.quantization import QUANTIZATION_METHODS
    if name not in QUANTIZATION_METHODS:
        raise UsageError(
            f"--quantization {name}: this vLLM has no such quantization"
            f"{_nearest(name, QUANTIZATION_METHODS)}; it has: {', '.join(QUANTIZATION_METHODS)}"
        )


def parse_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return vLLM's engine arguments by field name, with values of the fields' types.

    Args:
        given: Texts, as ``NAME=VALUE`` has them, or JSON values, by name with ``_`` or ``-``.

    Raises:
        UsageError: vLLM has no such argument, this program sets it itself, or the value is none
            of its type.
    """
    with _vllm():
        return {name: _parse_value(name, value) for name, value in _by_field(given).items()}


def changes_answers(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return those arguments that can change an answer."""
    return {name: value for name, value in arguments.items() if name not in _SAME_ANSWERS}


def as_json(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return parsed arguments as JSON values, which are equal for equal arguments."""
    found: dict[str, Any] = json.loads(json.dumps(arguments, default=_plain, sort_keys=True))
    return found


def _by_field(given: Mapping[str, Any]) -> dict[str, Any]:
    """Key the arguments by their fields' names; raise for one that cannot be used."""
    found: dict[str, Any] = {}
    known = _known_arguments()
    for written, value in given.items():
        name = written.strip().removeprefix("--").replace("-", "_")
        _refuse_own(written, name)
        if name not in known:
            raise UsageError(
                f"--engine-arg {written}: vLLM has no engine argument of this name"
                f"{_nearest(name, list(known))}"
            )
        if name in found:
            raise UsageError(f"--engine-arg {written}: it is given twice; give it once")
        found[name] = value
    return found


def _refuse_own(written: str, name: str) -> None:
    reason = _REFUSED.get(name) or next(
        (why for prefix, why in _PREFIXES.items() if name.startswith(prefix)), None
    )
    if name in _FLAGS:
        reason = f"it has a flag of its own, {_FLAGS[name]}"
    if reason is not None:
        raise UsageError(f"--engine-arg {written}: cannot be set here: {reason}")


def _parse_value(name: str, value: Any) -> Any:
    action = _known_arguments()[name]
    flag, text = action.option_strings[0], as_text(value)
    if action.nargs == 0:
        words = [_switch(action, name, text)]
    elif action.nargs == "+":
        parts = value if isinstance(value, list) else text.split(",")
        words = [flag, *(as_text(part).strip() for part in parts)]
    else:
        words = [f"{flag}={text}"]
    try:
        found = getattr(_parser().parse_args(words), name)
        if isinstance(found, str) and found.lstrip().startswith("{"):
            raise ValueError(f"expected a JSON object, got {found!r:.80}")  # vLLM keeps the text
        return found
    except (ValueError, TypeError, argparse.ArgumentError) as error:
        # Its first part names vLLM's flag, which nobody has written.
        reason = str(error).partition(": ")[2] if str(error).startswith("argument ") else error
        raise UsageError(f"--engine-arg {name}: {reason!s:.300}") from None


def _switch(action: argparse.Action, name: str, text: str) -> str:
    """Return the flag that turns a switch on or off."""
    flags = {"true": action.option_strings[0]}
    off = next((flag for flag in action.option_strings if flag.startswith("--no-")), None)
    flags |= {} if off is None else {"false": off}
    if text.lower() not in flags:
        raise UsageError(f"--engine-arg {name}: expected {' or '.join(flags)}, got {text!r:.40}")
    return flags[text.lower()]


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    return sorted(map(str, value)) if isinstance(value, set | frozenset) else str(value)


@contextmanager
def _vllm() -> Iterator[None]:
    """Wrap a use of vLLM: its imports warn, and its environment variables come first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        prepare_environment(VLLMConfig())
        yield


@cache
def _known_arguments() -> dict[str, argparse.Action]:
    """Map the fields of `EngineArgs` that its command line has to the actions of their flags."""
    with importing("vllm", "vllm"):
        from vllm import EngineArgs
    names = {one.name for one in dataclasses.fields(EngineArgs)}
    return {one.dest: one for one in _parser()._actions if one.dest in names}


@cache
def _parser() -> argparse.ArgumentParser:
    """Return vLLM's command line parser of engine arguments; it raises instead of exiting."""
    with importing("vllm", "vllm"):
        from vllm import EngineArgs
        from vllm.utils.argparse_utils import FlexibleArgumentParser

    class Parser(FlexibleArgumentParser):  # type: ignore[misc]
        def error(self, message: str) -> NoReturn:
            raise ValueError(message)

    parser: argparse.ArgumentParser = EngineArgs.add_cli_args(
        Parser(add_help=False, allow_abbrev=False)
    )
    return parser
