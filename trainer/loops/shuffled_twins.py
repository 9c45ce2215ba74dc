"""Make the shuffled twins of a batch: the same prompts with their frames in another order.

All processes of a run make the same twin of a row in an update, so that a group which processes
share is compared with one order of its frames.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from trainer.config.choices import Permutation
from trainer.loops.inputs import InputBuilder, PromptInputs


def make_twins(
    inputs: InputBuilder,
    rows: Iterable[PromptInputs],
    unit: Permutation,
    *,
    seed: int,
    step: int,
) -> dict[str, PromptInputs]:
    """Return the twin of each distinct row by its id.

    A row that failed, an image, or a video of one frame has no other order and is left out.

    Args:
        inputs: Builds the prompts.
        rows: Rows of the batch.
        unit: What is permuted.
        seed: Seed of the run.
        step: The update.
    """
    distinct = {row.id: row for row in rows if row.failure is None}
    twins = {
        name: inputs.shuffled(row, unit, permutation_seed(seed, step, name))
        for name, row in distinct.items()
    }
    return {name: twin for name, twin in twins.items() if twin is not None}


def shuffled_places(places: Sequence[int], size: int, shuffled: int) -> list[int]:
    """Return the completions beside which shuffled ones are sampled, each as often as it gets one.

    Every group of `size` gets `shuffled` of them, evenly spaced, however processes divide it.

    Args:
        places: Completions of this process, numbered over all processes.
        size: Ordered completions of a group.
        shuffled: Shuffled completions of a group; may be more than `size`.
    """
    return [
        place
        for place in places
        for at in [place % size]
        for _ in range(at * shuffled // size, (at + 1) * shuffled // size)
    ]


def permutation_seed(seed: int, step: int, row_id: str) -> int:
    """Return a seed that all processes of a run agree on, also after a resume."""
    digest = hashlib.blake2b(f"{seed}:{step}:{row_id}".encode(), digest_size=4).digest()
    return int.from_bytes(digest)
