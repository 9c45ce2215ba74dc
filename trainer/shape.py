"""What a checkpoint is made of, read from its configuration and weight headers alone.

For a hub id only configurations and headers are fetched, a few hundred kB for any model. A folder
without weights is measured by what its configuration speaks of.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.checkpoint import DEFAULT_FRAME_GRID, HUB_ID, Checkpoint, resolve
from harness.errors import CheckpointError
from harness.fingerprint import LENGTH_BYTES
from trainer.blueprint import MODEL_TYPE, planned_weights
from trainer.sections import LoraSettings

_VISION = ("visual.", "vision_tower.", "vision_model.")
"""Parts of tensor names that belong to the vision tower."""

_VIDEO_TOKENS = ("video_token_id", "video_token_index")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """The sizes that cost depends on."""

    tensors: Mapping[str, tuple[int, ...]]
    """Shape of every weight by name."""
    layers: int
    """Of the language model, as all that follows."""
    hidden: int
    intermediate: int
    vocabulary: int
    key_value: int
    """Numbers that one token keeps per layer for later tokens: keys and values of all heads."""
    grid: int
    """Frame sides are multiples of it, in pixels; one vision token is a square of that side."""
    frames_per_token: int
    """Consecutive video frames that share a vision token."""

    @property
    def parameters(self) -> int:
        """All weights."""
        return sum(map(math.prod, self.tensors.values()))

    @property
    def vision_parameters(self) -> int:
        """Weights of the vision tower."""
        return sum(math.prod(shape) for name, shape in self.tensors.items() if _is_vision(name))

    def lora_parameters(self, lora: LoraSettings) -> int:
        """Weights of an adapter: rank x (rows + columns) of each target of the language model."""
        return sum(
            lora.rank * sum(shape)
            for name, shape in self.tensors.items()
            if len(shape) == 2
            and not _is_vision(name)
            and name.removesuffix(".weight").rpartition(".")[2] in lora.targets
        )


def require_video(folder: Path) -> None:
    """Raise `CheckpointError` for a checkpoint that knows no video: it would train blind."""
    config = _read(folder / "config.json")
    if not any(name in config for name in _VIDEO_TOKENS):
        raise CheckpointError(
            f"{folder} knows no video (config.json has no {' or '.join(_VIDEO_TOKENS)});"
            " train a video-language checkpoint"
        )
    if not _video_processor(folder):
        raise CheckpointError(
            f"{folder} has no video processor (video_preprocessor_config.json, or a"
            " 'video_processor' in processor_config.json); copy it from the base model"
        )


def read_shape(spec: str) -> ModelShape:
    """Read the shape of a folder or hub id without its weights.

    Raises:
        CheckpointError: It cannot be found, is an adapter, or knows no video.
    """
    folder = Path(spec).expanduser()
    hub = None if folder.is_dir() else HUB_ID.fullmatch(spec)
    if hub is not None:
        folder, tensors = _from_hub(hub["repo"], hub["revision"])
    elif (folder / "config.json").is_file() and not has_weights(spec):
        tensors = _planned_tensors(folder)
    else:
        folder = full_checkpoint(spec).path
        tensors = _local_tensors(folder)
    require_video(folder)
    return _shape(folder, tensors)


def has_weights(spec: str) -> bool:
    """Tell whether a checkpoint's weights are in a folder, rather than on the hub or nowhere."""
    return any(Path(spec).expanduser().glob("*.safetensors"))


def full_checkpoint(spec: str) -> Checkpoint:
    """Resolve a checkpoint that has weights of its own; an adapter is refused."""
    checkpoint = resolve(spec)
    if checkpoint.adapter is not None:
        raise CheckpointError(
            f"{spec} is an adapter; merge it into {checkpoint.path} before training it"
        )
    return checkpoint


def _shape(folder: Path, tensors: Mapping[str, tuple[int, ...]]) -> ModelShape:
    config = _read(folder / "config.json")
    text = {**config, **config.get("text_config", {})}
    processor = _video_processor(folder)
    try:
        heads = text["num_attention_heads"]
        width = text.get("head_dim") or text["hidden_size"] // heads
        return ModelShape(
            tensors=tensors,
            layers=text["num_hidden_layers"],
            hidden=text["hidden_size"],
            intermediate=text["intermediate_size"],
            vocabulary=text["vocab_size"],
            key_value=2 * text.get("num_key_value_heads", heads) * width,
            grid=processor.get("patch_size", 0) * processor.get("merge_size", 0)
            or DEFAULT_FRAME_GRID,
            frames_per_token=processor.get("temporal_patch_size", 1),
        )
    except KeyError as error:
        raise _incomplete(folder, error) from None


def _local_tensors(folder: Path) -> dict[str, tuple[int, ...]]:
    tensors: dict[str, tuple[int, ...]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(LENGTH_BYTES), "little")))
        tensors |= {
            name: tuple(entry["shape"]) for name, entry in header.items() if name != "__metadata__"
        }
    return tensors


def _planned_tensors(folder: Path) -> dict[str, tuple[int, ...]]:
    config = _read(folder / "config.json")
    if config.get("model_type") != MODEL_TYPE:
        raise CheckpointError(
            f"{folder} has no weights (*.safetensors), and only for {MODEL_TYPE} does their size"
            f" follow from config.json, which says {config.get('model_type')}; name a hub id, of"
            " which nothing but headers is fetched"
        )
    try:
        return planned_weights(config)
    except KeyError as error:
        raise _incomplete(folder, error) from None


def _incomplete(folder: Path, error: KeyError) -> CheckpointError:
    return CheckpointError(f"{folder / 'config.json'} has no {error}")


def _from_hub(repo: str, revision: str | None) -> tuple[Path, dict[str, tuple[int, ...]]]:
    from huggingface_hub import get_safetensors_metadata, snapshot_download
    from huggingface_hub.errors import NotASafetensorsRepoError

    try:
        folder = snapshot_download(repo, revision=revision, allow_patterns=["*.json", "*.jinja"])
        files = get_safetensors_metadata(repo, revision=revision).files_metadata
    except (OSError, ValueError, NotASafetensorsRepoError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise CheckpointError(
            f"{repo}: there is no such folder, and the hub did not give its headers: {reason}"
        ) from error
    tensors = {
        name: tuple(tensor.shape)
        for file in files.values()
        for name, tensor in file.tensors.items()
    }
    return Path(folder), tensors


def _video_processor(folder: Path) -> dict[str, Any]:
    """Return the settings of the video processor, empty where there is none.

    Qwen2-VL's first releases described images and videos in one file.
    """
    nested: dict[str, Any] = _read(folder / "processor_config.json").get("video_processor", {})
    flat = _read(folder / "video_preprocessor_config.json")
    shared = _read(folder / "preprocessor_config.json")
    return nested or flat or (shared if "temporal_patch_size" in shared else {})


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path} is not valid JSON: {error}") from None
    return content


def _is_vision(name: str) -> bool:
    return any(part in name for part in _VISION)
