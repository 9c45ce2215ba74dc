"""Makes the pixels of a shuffled video from those of the ordered one, without the processor.

Qwen's video processors normalise every frame on its own and then lay out patches of neighbouring
frames, so that another order of the frames is another order of the same numbers. That is checked
against the processor once per number of frames: where it does not hold, the processor is called.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.schema import Clip, MediaKind

if TYPE_CHECKING:
    import torch

_log = logging.getLogger(__name__)

_PIXELS, _GRIDS = "pixel_values_videos", "video_grid_thw"
_CHANNELS = 3


class TwinPixels:
    """Reorders the pixels of videos, for shapes that were checked.

    Args:
        merged_frames: Neighbouring frames of a patch.
    """

    def __init__(self, merged_frames: int) -> None:
        self._merged = merged_frames
        self._holds: dict[tuple[int, int], bool] = {}
        """Whether the reordered pixels are the processor's, by the numbers of frames."""

    def make(
        self, tensors: Mapping[str, torch.Tensor], clip: Clip, shuffled: Clip
    ) -> dict[str, torch.Tensor] | None:
        """Return the tensors of the shuffled clip; None where the processor has to be called.

        Args:
            tensors: Those of the ordered clip.
            clip: The ordered clip, the only one of its prompt.
            shuffled: The same with its frames in another order.
        """
        key = (len(clip.indices), len(shuffled.indices))
        return self._reorder(tensors, clip, shuffled) if self._holds.get(key) else None

    def learn(
        self,
        tensors: Mapping[str, torch.Tensor],
        clip: Clip,
        shuffled: Clip,
        processed: Mapping[str, torch.Tensor],
    ) -> None:
        """Compare the reordered pixels with what the processor made of the shuffled clip."""
        key = (len(clip.indices), len(shuffled.indices))
        if key in self._holds:
            return
        made = self._reorder(tensors, clip, shuffled)
        self._holds[key] = made is not None and _are_equal(made, processed)
        if not self._holds[key]:
            _log.info("shuffled videos of %d frames go through the processor", key[0])

    def _reorder(
        self, tensors: Mapping[str, torch.Tensor], clip: Clip, shuffled: Clip
    ) -> dict[str, torch.Tensor] | None:
        pixels, grids = tensors.get(_PIXELS), tensors.get(_GRIDS)
        if clip.kind is MediaKind.IMAGE or pixels is None or grids is None or len(grids) != 1:
            return None
        steps, size = int(grids[0][0]), self._merged
        order = self._order(clip.indices, shuffled.indices, steps * size)
        area, rest = divmod(len(pixels), steps)
        points, uneven = divmod(pixels.shape[1], _CHANNELS * size)
        if order is None or rest or uneven:
            return None
        frames = pixels.view(steps, area, _CHANNELS, size, points).permute(0, 3, 1, 2, 4)
        moved = frames.reshape(steps * size, area, _CHANNELS, points)[order]
        back = moved.view(steps, size, area, _CHANNELS, points).permute(0, 2, 3, 1, 4)
        return {**tensors, _PIXELS: back.reshape(pixels.shape)}

    @staticmethod
    def _order(before: Sequence[int], after: Sequence[int], count: int) -> list[int] | None:
        """Return the place of every frame in the ordered video; the last one fills the patch."""
        places = {index: at for at, index in reversed(list(enumerate(before)))}
        if len(after) > count or any(index not in places for index in after):
            return None
        order = [places[index] for index in after]
        return order + [order[-1]] * (count - len(order))


def _are_equal(made: Mapping[str, Any], processed: Mapping[str, Any]) -> bool:
    import torch

    return made.keys() == processed.keys() and all(
        torch.equal(made[name], processed[name]) for name in made
    )
