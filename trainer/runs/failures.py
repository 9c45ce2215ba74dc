"""Turn exceptions of libraries into messages with update, rows and newest checkpoint.

What the user can change is a `UsageError` (exit 2), what the machine lacks and a training that
diverged a `HarnessError` (exit 4), all else a `TrainingFault` (exit 70, traceback in a file).
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import HarnessError, UsageError
from trainer.runs.checkpoints import describe_newest, incomplete_checkpoints

_DISK = (
    "No space left on device", "File too large", "Disk quota exceeded", "unexpected pos",
    "PytorchStreamWriter failed",
)  # fmt: skip
"""How torch, safetensors and the system say that a file could not be written in full."""
_MEMORY = ("out of memory", "can't allocate memory", "DefaultCPUAllocator")
_NOT_FINITE = ("probability tensor contains either", "contains NaN", "contains nan")
"""How torch and vLLM say that a sampler has no finite probabilities."""
_OURS = ("trainer", "harness", "tasks")
_ROOT = Path(__file__).resolve().parents[2]


class TrainingFault(Exception):  # noqa: N818  (not an error of the user's or of the machine)
    """An unexpected exception in a training, with its place."""


@contextmanager
def explained_setup() -> Iterator[None]:
    """Turn what a library refuses before the first update into a `UsageError`."""
    try:
        yield
    except (HarnessError, TrainingFault, OSError):
        raise
    except (ValueError, TypeError, ImportError, NotImplementedError) as error:
        library = _raising_library(error)
        if library is None:
            raise
        raise UsageError(f"{library} refuses the recipe: {first_line(error)}") from error


def explain(error: Exception, step: int, out: Path) -> Exception:
    """Return the exception to raise for one that ended a training.

    Args:
        error: What a library raised.
        step: Updates made before it.
        out: Folder of the run.
    """
    text = str(error)
    saving = f"checkpoint-{step}"
    torn = saving if out / saving in incomplete_checkpoints(out) else None
    place = f"while {torn} was written" if torn else f"in update {step + 1}"
    newest = describe_newest(out)
    if any(known in text for known in _DISK) or (torn and isinstance(error, OSError)):
        return HarnessError(
            f"{out}: not all of a file could be written {place} ({first_line(error)}); {newest};"
            " with room on the disk the same command goes on"
        )
    if isinstance(error, MemoryError) or any(known in text for known in _MEMORY):
        return HarnessError(
            f"{out}: out of memory {place} ({first_line(error)}); {newest}; lower"
            " optim.per_device_train_batch_size or the frames, or free memory and run the same"
            " command again"
        )
    if any(known in text for known in _NOT_FINITE):
        return HarnessError(
            f"{out}: the model has no finite probabilities {place}; {newest}; train in another"
            " folder with a lower optim.learning_rate or optim.max_grad_norm"
        )
    return TrainingFault(f"{type(error).__name__} {place} of {out}: {first_line(error)}; {newest}")


def first_line(error: BaseException) -> str:
    """Return the first line of a message, or the type of an exception without one."""
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return line[:300] or type(error).__name__


def _raising_library(error: BaseException) -> str | None:
    """Return the package whose code raised, None for this project's own."""
    frames = traceback.extract_tb(error.__traceback__)
    path = Path(frames[-1].filename).resolve() if frames else _ROOT
    if path.is_relative_to(_ROOT) and path.relative_to(_ROOT).parts[:1] in [(o,) for o in _OURS]:
        return None
    parts = path.parts
    return parts[parts.index("site-packages") + 1] if "site-packages" in parts else None
