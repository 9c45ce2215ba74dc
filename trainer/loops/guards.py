"""What must never happen in silence: a model that trains or answers without seeing its video.

TRL takes a video in a prompt and trains without it, and a policy that samples a vision token makes
the next forward pass count features that do not exist.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import DatasetError, HarnessError
from trainer.data import TrainingRow

_GIVEN = {"image": "pixel_values", "video": "pixel_values_videos"}


class BlindForwardError(HarnessError):
    """Vision tokens were about to be read without the features they stand for."""


def refuse_blindness(backbone: Any, ids: Mapping[str, int]) -> None:
    """Make every forward pass of `backbone` raise where vision tokens come without features.

    Args:
        backbone: The model below the language model head.
        ids: The vision token of each modality.
    """

    def check(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        tokens = kwargs.get("input_ids", args[0] if args else None)
        if tokens is None or tokens.shape[1] == 1:
            return  # one step of a generation; vision tokens are never sampled
        features = kwargs.get("mm_encoder_outputs") or {}
        for modality, token in ids.items():
            given = kwargs.get(_GIVEN[modality]) is not None or features.get(modality) is not None
            if not given and bool((tokens == token).any()):
                count = int((tokens == token).sum())
                raise BlindForwardError(
                    f"the batch has {count} {modality} tokens but no {modality} features: the model"
                    f" would read it blind; pass {_GIVEN[modality]}, as trainer.loops.batches does"
                )

    backbone.register_forward_pre_hook(check, with_kwargs=True)


def require_media(rows: Sequence[TrainingRow]) -> None:
    """Find files that are missing before anything is loaded, let alone trained.

    Raises:
        DatasetError: Some are; it counts the rows and names the first.
    """
    missing = [
        (row.sample.id, media.path)
        for row in rows
        for media in row.sample.media
        if not media.path.exists()
    ]
    if missing:
        name, path = missing[0]
        raise DatasetError(
            f"{len(missing)} of {len(rows)} rows lack their media, first {name}: {path} does not"
            " exist; fetch the files, or leave the rows out with data.on_bad_row"
        )
