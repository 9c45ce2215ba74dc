"""Call the vision tower where a process has no media, as the other processes do.

Sharded layers (FSDP, ZeRO-3) gather their weights from all processes when they are called, and DDP
waits for the gradient of every weight: a process whose rows are text alone would keep the others
waiting, or get what belongs to another layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def in_several_processes() -> bool:
    """Return whether other processes train with this one."""
    from torch import distributed

    return bool(distributed.is_initialized() and distributed.get_world_size() > 1)


def vision_tower(model: Any) -> Any:
    """Return the vision tower of a model, of one with an adapter, or of one without a head."""
    return getattr(model, "get_base_model", lambda: model)().base_model.visual


def encode_blank(model: Any) -> torch.Tensor:
    """Encode a grey picture of one token; return 0, with a gradient of 0 for all of the tower."""
    import torch

    tower = vision_tower(model)
    config, side = tower.config, tower.config.spatial_merge_size
    values = config.in_channels * config.temporal_patch_size * config.patch_size**2
    device = next(tower.parameters()).device
    features = model.get_video_features(
        torch.zeros(side * side, values, device=device),
        torch.tensor([[1, side, side]], device=device),
        return_dict=True,
    )
    deeper = getattr(features, "deepstack_features", None) or ()
    outputs = [*features.pooler_output, *(one for layer in deeper for one in layer)]
    return 0 * torch.stack([output.mean() for output in outputs]).sum()
