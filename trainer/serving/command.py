"""Build the command that serves a checkpoint to a training: vLLM's own server with what it needs.

The engine has the settings of the one in the training process (`harness.backends.vllm_engine`), so
that a prompt has the same tokens there. Beside them: the addresses through which weights come
(vLLM's development mode and `trainer.serving.worker`), and frame times from requests.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.backends.openai import TRUST_FLAG
from harness.backends.vllm_engine import VLLMConfig, engine_arguments
from harness.bounds import between
from harness.models.checkpoint import Checkpoint
from harness.plugins import importing
from trainer.serving.worker import WeightsFromFolder

EXTENSION = f"{WeightsFromFolder.__module__}.{WeightsFromFolder.__qualname__}"
"""The class that vLLM mixes into its workers."""
_SERVER = "vllm.entrypoints.openai.api_server"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeConfig:
    """Where a rollout server listens, and what of the machine it takes."""

    host: str = "127.0.0.1"
    """Address to listen at; 0.0.0.0 for trainers on other machines of a closed network."""
    port: int = 8000
    """Port to listen at."""
    dtype: str | None = None
    """Number format of the weights (default: the checkpoint's; float32 on a CPU)."""
    tensor_parallel: int = 1
    """GPUs over which the model is split."""
    gpu_memory_utilization: float = 0.9
    """Share of the GPU's memory that vLLM takes."""
    max_num_seqs: int = 256
    """Completions that are sampled at the same time."""
    max_model_len: int = 16384
    """Tokens of prompt and completion together, or the model's limit."""

    def __post_init__(self) -> None:
        between(self, "port", 1, 65535, "a TCP port")
        between(self, "tensor_parallel", 1, 1024, "each is a GPU")
        between(self, "gpu_memory_utilization", 0.01, 1, "a share of the GPU's memory")
        between(self, "max_num_seqs", 1, 1 << 16, "each holds keys and values in memory")
        between(self, "max_model_len", 1, 1 << 24, "tokens; no model takes more")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCommand:
    """A program, its arguments, and the environment variables that it needs."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]

    def __str__(self) -> str:
        """Return the line that a shell would take."""
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        return " ".join([*variables, shlex.join(self.arguments)])


def server_command(
    checkpoint: Checkpoint, config: ServeConfig, processor: Any, further: Sequence[str] = ()
) -> ServerCommand:
    """Return the command that serves a checkpoint.

    Args:
        checkpoint: The checkpoint that training starts from.
        config: Where, and with what.
        processor: The checkpoint's processor.
        further: Further flags of ``vllm serve``, which come last.
    """
    options = VLLMConfig(
        dtype=config.dtype,
        tensor_parallel_size=config.tensor_parallel,
        gpu_memory_utilization=config.gpu_memory_utilization,
        max_num_seqs=config.max_num_seqs,
        max_model_len=config.max_model_len,
        further={"worker_extension_cls": EXTENSION},
    )
    with importing("vllm", "vllm"):
        from vllm.platforms import current_platform

    cache = {"VLLM_CPU_KVCACHE_SPACE": str(options.cpu_kv_cache_gib)}
    flags = _as_flags(engine_arguments(checkpoint, options, processor))
    return ServerCommand(
        arguments=(
            sys.executable, "-m", _SERVER, "--host", config.host, "--port", str(config.port),
            "--disable-uvicorn-access-log", TRUST_FLAG, *flags, *further,
        ),
        environment={
            "VLLM_SERVER_DEV_MODE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            **(cache if current_platform.is_cpu() else {}),
        },
    )  # fmt: skip


def _as_flags(arguments: Mapping[str, Any]) -> list[str]:
    """Return engine arguments as flags of vLLM's server, those that have vLLM's default left out.

    What the harness measures runs with is left out as well.
    """
    with importing("vllm", "vllm"):
        from vllm import EngineArgs

    defaults = {field.name: field.default for field in dataclasses.fields(EngineArgs)}
    flags = []
    for name, value in arguments.items():
        if value is None or value == defaults[name] or name in _OF_MEASUREMENTS:
            continue
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            flags.append(flag if value else f"--no-{flag[2:]}")
        else:
            flags += [flag, json.dumps(value) if isinstance(value, Mapping) else str(value)]
    return flags


_OF_MEASUREMENTS = (
    "disable_log_stats", "enable_logging_iteration_details", "enable_mm_processor_stats",
)  # fmt: skip
