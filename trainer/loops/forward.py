"""Add vision inputs to a model's forward pass and to TRL's computation of log-probabilities.

- A video or image that several rows of a batch show is encoded once; every row gets its features.
- A prompt that several completions have goes through the language model once, where it takes packed
  rows (`trainer.loops.shared_prompts`).
- Only the hidden states that predict the completions' tokens reach the LM head.
- Vision tokens without features raise an error.
- FSDP gathers the weights that are used outside of their module's own forward pass, and every
  process calls the vision tower equally often.

All of this is done by hooks on the model below the LM head (``base_model``), inside any wrapper for
several processes, so that gradients are reduced as usual.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError, UsageError
from trainer.loops import collate, shared_attention
from trainer.loops.blank_media import encode_blank, in_several_processes
from trainer.loops.inputs import PromptInputs
from trainer.loops.kept_features import FEATURES, KeptFeatures, select_features
from trainer.loops.shared_prompts import SharedPrompts, pack
from trainer.loops.wanted_states import BLANK, KEPT, WantedStates

if TYPE_CHECKING:
    import torch

_PIXELS = {"image": "pixel_values", "video": "pixel_values_videos"}
_GRIDS = {"image": "image_grid_thw", "video": "video_grid_thw"}
_POSITIONED = (*_GRIDS.values(), "second_per_grid_ts")
"""Arguments about media that positions depend on."""
_GET_FEATURES = "get_video_features"

SHOWN = "shown"
"""Extra argument: maps a modality to the index of each medium of the batch among the distinct
ones, whose pixels are given."""


class MissingVisionFeaturesError(HarnessError):
    """A forward pass got vision tokens without the features they stand for."""


def vision_ids(model: Any) -> dict[str, int]:
    """Return the ids of the placeholder tokens, by modality (``image``, ``video``).

    Raises:
        UsageError: The model's config names no such tokens, as Qwen-VL configs do.
    """
    config = model.config
    try:
        return {"image": int(config.image_token_id), "video": int(config.video_token_id)}
    except AttributeError:
        raise UsageError(
            f"{config.model_type} models cannot be trained here: their config has no"
            " image_token_id and video_token_id; use a Qwen2-VL, Qwen2.5-VL or Qwen3-VL checkpoint"
        ) from None


def extend(model: Any) -> None:
    """Make a model accept the extra arguments `SHOWN` and `KEPT`; call it before any wrapping."""
    backbone = model.base_model
    wanted = WantedStates()
    backbone.register_forward_pre_hook(_lay_positions, with_kwargs=True)
    backbone.register_forward_pre_hook(_encode_once, with_kwargs=True)
    backbone.register_forward_pre_hook(wanted.take_argument, with_kwargs=True)
    backbone.register_forward_hook(wanted.select)
    backbone.register_forward_hook(lambda *_: _gather_head(model))
    require_vision_features(backbone, vision_ids(model))


def encode(model: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """Return `inputs` for ``generate``, with pixels replaced by the features of every row."""
    from torch.distributed.fsdp import register_fsdp_forward_method

    if _GET_FEATURES not in vars(model):
        # FSDP gathers the weights of the vision tower only for what it knows as a forward pass.
        register_fsdp_forward_method(model, _GET_FEATURES)
    _, changed = _encode_once(model, (), inputs) or ((), inputs)
    return {name: value for name, value in changed.items() if name != BLANK}


def positions_of(
    backbone: Any,
    ids: torch.Tensor,
    types: torch.Tensor,
    mask: torch.Tensor,
    media: Mapping[str, Any],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the positions of padded prompts, and how far those of the text after them are off.

    Args:
        backbone: The model below the LM head.
        ids: Token ids, shape (prompts, tokens).
        types: 0 for text, 1 for an image, 2 for a video, per token.
        mask: 1 for tokens, 0 for padding.
        media: The model's arguments; those about grids and times are read.

    Returns:
        Positions of shape (3, prompts, tokens), and what is added to the number of a token behind
        the prompt, shape (prompts, 1).
    """
    found: tuple[torch.Tensor, torch.Tensor] = backbone.get_rope_index(
        ids,
        mm_token_type_ids=types,
        attention_mask=mask,
        **{name: media[name] for name in _POSITIONED if name in media},
    )
    return found


def require_vision_features(backbone: Any, ids: Mapping[str, int]) -> None:
    """Make every forward pass of `backbone` raise where vision tokens come without features.

    Without the check TRL trains on the text of a video prompt alone, and a sampled vision token
    would count features that do not exist.

    Args:
        backbone: The model below the LM head.
        ids: The placeholder token of each modality.
    """

    def check(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        tokens = kwargs.get("input_ids", args[0] if args else None)
        if tokens is None or tokens.shape[1] == 1:
            return  # one step of a generation; vision tokens are never sampled
        features = kwargs.get("mm_encoder_outputs") or {}
        for modality, token in ids.items():
            pixels = _PIXELS[modality]
            given = kwargs.get(pixels) is not None or features.get(modality) is not None
            if not given and bool((tokens == token).any()):
                count = int((tokens == token).sum())
                raise MissingVisionFeaturesError(
                    f"the batch has {count} {modality} tokens but no {modality} features, so the"
                    f" model would not see the {modality}; pass {pixels}, as trainer.loops.collate"
                    " does"
                )

    backbone.register_forward_pre_hook(check, with_kwargs=True)


class VisionForward:
    """Wraps the model where TRL computes log-probabilities and adds the vision inputs of the rows.

    TRL calls the model on consecutive chunks of a batch; each call takes the next rows.

    Args:
        model: The policy or the reference model.
        rows: The rows of the batch, in order.
        vision_ids: The placeholder token of each modality.
        columns: Number of last columns, in which the completions are.
        share_prompts: Whether to pack the rows; the model has been prepared for it by
            `trainer.loops.shared_attention.prepare_model`.
        kept: Vision features that need not be computed again, for packed rows.
    """

    def __init__(
        self,
        model: Any,
        rows: Sequence[PromptInputs],
        vision_ids: dict[str, int],
        *,
        columns: int,
        share_prompts: bool,
        kept: KeptFeatures | None = None,
    ) -> None:
        self._model = model
        self._kept_features = kept
        self._rows = list(rows)
        self._vision_ids = vision_ids
        self._columns = columns
        self._share_prompts = share_prompts

    def __call__(
        self,
        *,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        labels: torch.Tensor,
        **inputs: Any,
    ) -> Any:
        """Call the model with the vision inputs of the next ``len(input_ids)`` rows.

        Returns:
            The model's output; ``log_probs`` and ``entropy`` have a column per column of the
            completions.
        """
        rows, self._rows = self._rows[: len(input_ids)], self._rows[len(input_ids) :]
        if self._share_prompts:
            completions, mask, targets = (
                part[:, -self._columns :] for part in (input_ids, attention_mask, labels)
            )
            shared, packed = pack(rows, completions, mask, self._vision_ids, self._kept_features)
            shared_row = {shared_attention.NAME: shared}
            return self._model(**inputs, **packed, **shared_row, shift_labels=targets)
        return self._model(
            **inputs,
            input_ids=input_ids,
            attention_mask=attention_mask,
            mm_token_type_ids=collate.token_types(input_ids, self._vision_ids),
            **collate.media_tensors(rows, device=input_ids.device),
            labels=labels[:, -self._columns - 1 :],
            **{KEPT: self._columns + 1},
        )


def _lay_positions(
    backbone: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Add the positions of a packed row to the arguments, unless they are there."""
    import torch

    row: SharedPrompts | None = kwargs.get(shared_attention.NAME)
    if row is None or kwargs.get("position_ids") is not None:
        return None
    ids, types = (row.pad(kwargs[name][0])[0] for name in ("input_ids", "mm_token_type_ids"))
    lengths = torch.tensor(row.prompt_lengths, device=ids.device)
    mask = (torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]).long()
    positions, _ = positions_of(backbone, ids, types, mask, kwargs)
    return args, {**kwargs, "position_ids": row.continue_positions(positions)}


def _encode_once(
    backbone: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Encode the distinct images and videos of a batch in one call of the vision tower.

    One call for both, so that sharded processes make the same number of calls.
    """
    import torch

    kwargs = dict(kwargs)
    if FEATURES in kwargs:
        return args, {**kwargs, "mm_encoder_outputs": kwargs.pop(FEATURES).by_modality}
    if SHOWN not in kwargs:
        return None
    shown: Mapping[str, Sequence[int]] = kwargs.pop(SHOWN)
    pixels: list[Any] = []
    grids: list[Any] = []
    indices: dict[str, list[int]] = {}
    for modality, pixels_name in _PIXELS.items():
        if kwargs.get(pixels_name) is not None:
            listed, before = list(shown[modality]), sum(len(part) for part in grids)
            first = [listed.index(index) for index in range(max(listed) + 1)]
            pixels.append(kwargs.pop(pixels_name))
            grids.append(kwargs[_GRIDS[modality]][first])
            indices[modality] = [before + index for index in listed]
    if not pixels:
        return args, {**kwargs, BLANK: encode_blank(backbone) if in_several_processes() else None}
    features = backbone.get_video_features(torch.cat(pixels), torch.cat(grids), return_dict=True)
    outputs = {
        modality: select_features(features, selected) for modality, selected in indices.items()
    }
    return args, {**kwargs, "mm_encoder_outputs": outputs}


def _gather_head(model: Any) -> None:
    """Have FSDP gather the LM head's weights and, in the backward pass, sum their gradients.

    TRL reads the weights of the head and never calls it. FSDP does not notice that, and each
    process would get the gradient of its own rows for its part of the head.
    """
    from torch.distributed.fsdp import FSDPModule

    head = model.get_output_embeddings()
    if isinstance(head, FSDPModule):
        head.unshard()
