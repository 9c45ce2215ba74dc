"""What the trainers add to a model's forward pass.

- A medium that several rows of a batch show is encoded once; its features go to every row.
- Only the last columns, where the completions are, reach the language model head.
- Vision tokens without features raise, see `trainer.loops.forward`.
- FSDP is told of weights that are used outside of the forward pass of their module.

All of it is hooked to the model below the head (``base_model``), inside whatever wraps it for
several processes, so gradients are reduced as always.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import DatasetError, HarnessError, UsageError
from trainer.data.rows import TrainingRow
from trainer.loops import (
    collate,
    forward,
)
from trainer.loops.inputs import PromptInputs

if TYPE_CHECKING:
    import torch

_INPUTS = {
    "image": ("pixel_values", "image_grid_thw"),
    "video": ("pixel_values_videos", "video_grid_thw"),
}
SHOWN, KEPT = "shown", "kept"
_FEATURES = "get_video_features"


def vision_ids(model: Any) -> dict[str, int]:
    """Return the ids of the tokens that features stand in for, by modality.

    Raises:
        UsageError: The model does not take videos the way Qwen-VL models do.
    """
    config = model.config
    try:
        return {"image": int(config.image_token_id), "video": int(config.video_token_id)}
    except AttributeError:
        raise UsageError(
            f"{config.model_type} models cannot be trained here: their config names no"
            " image_token_id and video_token_id; use a Qwen2-VL, Qwen2.5-VL or Qwen3-VL checkpoint"
        ) from None


def extend(model: Any) -> None:
    """Teach a model, before anything wraps it, to take the two extra arguments.

    ``shown`` maps a modality to the place of each medium of the batch among the distinct ones,
    whose pixels are given; ``kept`` is the number of last columns whose hidden states are wanted.
    """
    backbone = model.base_model
    trim = _Trim()
    backbone.register_forward_pre_hook(_encode_once, with_kwargs=True)
    backbone.register_forward_pre_hook(trim.take, with_kwargs=True)
    backbone.register_forward_hook(trim.cut)
    backbone.register_forward_hook(lambda *_: _gather_head(model))
    refuse_blindness(backbone, vision_ids(model))


def encode(model: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """Replace the pixels in `inputs` by the features that every row shows, for `generate`."""
    from torch.distributed.fsdp import register_fsdp_forward_method

    if _FEATURES not in vars(model):
        # FSDP gathers the weights of patches and merger for what it knows to be a forward pass.
        register_fsdp_forward_method(model, _FEATURES)
    _, changed = _encode_once(model, (), inputs) or ((), inputs)
    return changed


def _encode_once(
    backbone: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Encode images and videos in one call, so that sharded processes make equally many."""
    import torch

    if SHOWN not in kwargs:
        return None
    kwargs = dict(kwargs)
    shown: Mapping[str, Sequence[int]] = kwargs.pop(SHOWN)
    pixels: list[Any] = []
    grids: list[Any] = []
    places: dict[str, list[int]] = {}
    for modality, (pixels_name, grids_name) in _INPUTS.items():
        if kwargs.get(pixels_name) is not None:
            listed, before = list(shown[modality]), sum(len(part) for part in grids)
            first = [listed.index(place) for place in range(max(listed) + 1)]
            pixels.append(kwargs.pop(pixels_name))
            grids.append(kwargs[grids_name][first])
            places[modality] = [before + place for place in listed]
    features = backbone.get_video_features(torch.cat(pixels), torch.cat(grids), return_dict=True)
    outputs = {modality: _listed(features, listed) for modality, listed in places.items()}
    return args, {**kwargs, "mm_encoder_outputs": outputs}


def _gather_head(model: Any) -> None:
    """Have FSDP gather the head's weights and, in the backward pass, add up their gradients.

    TRL reads the weights of the head and never calls it. FSDP knows nothing of that, and each
    process would get the gradient of its own rows for its part of the head.
    """
    from torch.distributed.fsdp import FSDPModule

    head = model.get_output_embeddings()
    if isinstance(head, FSDPModule):
        head.unshard()


def _listed(features: Any, places: list[int]) -> Any:
    """Pick the features of the media of a batch; Qwen3-VL has some for deeper layers, too."""
    picked = copy.copy(features)
    picked.pooler_output = tuple(features.pooler_output[place] for place in places)
    deeper = getattr(features, "deepstack_features", None)
    if deeper is not None:
        picked.deepstack_features = [tuple(layer[place] for place in places) for layer in deeper]
    return picked


class _Trim:
    """Cuts the hidden states of one forward down to the columns that were asked for."""

    def __init__(self) -> None:
        self._kept: int | None = None

    def take(
        self, backbone: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Remember and remove the argument, which the model itself does not know."""
        kwargs = dict(kwargs)
        self._kept = kwargs.pop(KEPT, None)
        return args, kwargs

    def cut(self, backbone: Any, args: tuple[Any, ...], output: Any) -> Any:
        """Cut, once."""
        if self._kept is not None:
            output.last_hidden_state = output.last_hidden_state[:, -self._kept :]
            self._kept = None
        return output


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
                    f" would read it blind; pass {_GIVEN[modality]}, as trainer.loops.collate does"
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


class Seeing:
    """Stands in for the model where TRL computes log-probabilities, and adds what rows show.

    TRL goes through a batch in chunks from the front, and so do the rows.
    """

    def __init__(
        self, model: Any, rows: Sequence[PromptInputs], vision_ids: dict[str, int], *, kept: int
    ) -> None:
        self._model = model
        self._rows = list(rows)
        self._vision_ids = vision_ids
        self._kept = kept

    def __call__(self, *, input_ids: torch.Tensor, labels: torch.Tensor, **inputs: Any) -> Any:
        """Take the next rows and call the model with what they show."""
        rows, self._rows = self._rows[: len(input_ids)], self._rows[len(input_ids) :]
        return self._model(
            **inputs,
            input_ids=input_ids,
            mm_token_type_ids=collate.token_types(input_ids, self._vision_ids),
            **collate.media_tensors(rows, device=input_ids.device),
            labels=labels[:, -self._kept :],
            **{forward.KEPT: self._kept},
        )
