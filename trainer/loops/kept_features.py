"""Keep the vision features of a batch where the vision tower is frozen.

Sampler, reference and policy then encode a medium once for all three.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from trainer.loops.blank_media import vision_tower
from trainer.loops.inputs import PromptInputs

FEATURES = "kept_features"
"""Extra argument of the model: `KeptOutputs` in place of pixels."""
_GRIDS = {"image": "image_grid_thw", "video": "video_grid_thw"}


class KeptOutputs:
    """Outputs of the vision tower by modality; no mapping, which wrappers would take apart."""

    def __init__(self, by_modality: Mapping[str, Any]) -> None:
        self.by_modality = dict(by_modality)


class KeptFeatures:
    """Outputs of the vision tower for the prompts of one batch."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[PromptInputs, dict[str, Any]]] = {}

    def remember(self, rows: Sequence[PromptInputs], outputs: Mapping[str, Any]) -> None:
        """Keep the features of these prompts, and forget all others.

        Args:
            rows: Distinct prompts.
            outputs: The tower's output by modality, for the media of all rows in order.
        """
        self._known = {}
        before = dict.fromkeys(_GRIDS, 0)
        for row in rows:
            own = {}
            for modality, grid in _GRIDS.items():
                count = len(row.tensors.get(grid, ()))
                if count:
                    indices = range(before[modality], before[modality] + count)
                    own[modality] = select_features(outputs[modality], indices)
                    before[modality] += count
            self._known[id(row)] = row, own

    def outputs_of(self, rows: Sequence[PromptInputs]) -> KeptOutputs | None:
        """Return the tower's output for the media of these prompts; None where one is unknown."""
        if any(id(row) not in self._known for row in rows):
            return None
        found: dict[str, list[Any]] = {}
        for row in rows:
            for modality, features in self._known[id(row)][1].items():
                found.setdefault(modality, []).append(features)
        return KeptOutputs({modality: _join(parts) for modality, parts in found.items()})


def select_features(features: Any, indices: Sequence[int]) -> Any:
    """Return the features of some media; Qwen3-VL also has features for deeper layers."""
    selected = copy.copy(features)
    selected.pooler_output = tuple(features.pooler_output[index] for index in indices)
    deeper = getattr(features, "deepstack_features", None)
    if deeper is not None:
        selected.deepstack_features = [tuple(layer[index] for index in indices) for layer in deeper]
    return selected


def is_frozen(model: Any) -> bool:
    """Return whether no weight of the vision tower is trained."""
    return not any(weight.requires_grad for weight in vision_tower(model).parameters())


def _join(parts: Sequence[Any]) -> Any:
    """Return the features of the media of several prompts, one after the other."""
    joined = copy.copy(parts[0])
    joined.pooler_output = tuple(one for part in parts for one in part.pooler_output)
    if getattr(joined, "deepstack_features", None) is not None:
        layers = zip(*(part.deepstack_features for part in parts), strict=True)
        joined.deepstack_features = [
            tuple(one for part in layer for one in part) for layer in layers
        ]
    return joined
