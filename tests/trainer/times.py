"""Which columns of ``metrics.jsonl`` are times."""

from trainer.runs.phase_times import MFU, PREFIX, TOKENS_PER_SECOND

_OF_TRANSFORMERS = (
    "step_time", "train_runtime", "train_samples_per_second", "train_steps_per_second",
)  # fmt: skip


def is_time(name: str) -> bool:
    """Return whether a column differs between equal runs."""
    return name in (*_OF_TRANSFORMERS, TOKENS_PER_SECOND, MFU) or name.startswith(PREFIX)
