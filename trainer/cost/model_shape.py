"""Reads the sizes of a checkpoint from its configuration and the headers of its weight files.

Nothing is loaded: for a hub id a few hundred kB are downloaded, whatever the model's size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.errors import CheckpointError
from harness.models.checkpoint import HUB_ID, full_checkpoint
from harness.models.parts import read_part
from harness.models.video_processor import patch_multiple, require_video, video_processor_config
from harness.models.weights import ADAPTER_CONFIG, read_tensors, weight_files
from harness.plugins import importing, is_installed
from trainer.config.sections import LoraSettings
from trainer.cost.known_shapes import find_known

_VISION = ("visual.", "vision_tower.", "vision_model.")
"""Parts of tensor names that belong to the vision tower."""


_NOT_ADAPTED = ("embed_tokens", "lm_head")
"""Matrices that are no linear layers of the language model's blocks; TRL takes no adapter there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """The sizes of a model that memory and tokens depend on."""

    tensors: Mapping[str, tuple[int, ...]]
    """Shape of every weight by name."""
    layers: int
    """Layers of the language model, which the next four sizes are about, too."""
    hidden: int
    intermediate: int
    vocabulary: int
    key_value: int
    """Numbers in the key-value cache per token and layer."""
    patch_multiple: int
    """Frame sides are multiples of it, in pixels; one vision token is a square of that side."""
    folder: Path = field(compare=False)
    """Where its configurations and its tokenizer's files are."""
    frames_per_token: int
    """Consecutive video frames that share a vision token."""
    remembered: bool = False
    """Whether the sizes are those that videor1 knows, as the hub could not be reached."""

    @property
    def parameters(self) -> int:
        """All weights."""
        return sum(map(math.prod, self.tensors.values()))

    @property
    def quantizable_parameters(self) -> int:
        """Weights of the linear layers of the language model, which may be held in 4 bits."""
        shapes = (self.tensors[f"{layer}.weight"] for layer in linear_layers(self.tensors))
        return sum(map(math.prod, shapes))

    @property
    def vision_parameters(self) -> int:
        """Weights of the vision tower."""
        return sum(math.prod(shape) for name, shape in self.tensors.items() if is_vision(name))

    def lora_parameters(self, lora: LoraSettings) -> int:
        """Return the weights of an adapter: rank x (rows + columns) of each target in the model."""
        return sum(
            lora.r * sum(shape)
            for name, shape in self.tensors.items()
            if len(shape) == 2
            and not is_vision(name)
            and name.removesuffix(".weight").rpartition(".")[2] in lora.target_modules
        )


def read_shape(spec: str) -> ModelShape:
    """Read the shape of a folder or hub id without its weights.

    Of a hub id only configurations and the headers of the weight files are downloaded. For a
    folder without weights transformers builds the model of its ``config.json`` on torch's meta
    device, which needs both libraries and no memory.

    Where the hub cannot be reached, the sizes of a well-known model are taken from
    `trainer.cost.known_shapes`.

    Raises:
        CheckpointError: It cannot be found, is an adapter, takes no videos, or cannot be measured.
    """
    folder = Path(spec).expanduser()
    hub = None if folder.is_dir() else HUB_ID.fullmatch(spec)
    remembered = False
    if hub is not None:
        try:
            folder, tensors = _from_hub(hub["repo"], hub["revision"])
        except CheckpointError:
            known = find_known(hub["repo"])
            if known is None:
                raise
            (folder, tensors), remembered = known, True
    elif not folder.is_dir() or (folder / ADAPTER_CONFIG).is_file():
        folder = full_checkpoint(spec).path  # says what is wrong with it
        tensors = _local_tensors(folder)
    else:
        tensors = _local_tensors(folder) if has_weights(spec) else _meta_tensors(folder)
    require_video(folder)
    return replace(_make_shape(folder, tensors), remembered=remembered)


def has_weights(spec: str) -> bool:
    """Return whether `spec` is a folder with weights."""
    return any(Path(spec).expanduser().glob("*.safetensors"))


def _make_shape(folder: Path, tensors: Mapping[str, tuple[int, ...]]) -> ModelShape:
    config = read_part(folder / "config.json")
    text = {**config, **config.get("text_config", {})}
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
            patch_multiple=patch_multiple(folder),
            folder=folder,
            frames_per_token=video_processor_config(folder).get("temporal_patch_size", 1),
        )
    except KeyError as error:
        raise _missing_key_error(folder, error) from None


def _local_tensors(folder: Path) -> dict[str, tuple[int, ...]]:
    return {
        name: tuple(tensor.shape)
        for path in weight_files(folder)
        for name, tensor in read_tensors(path).items()
    }


def _meta_tensors(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the model that ``config.json`` describes; tied weights count once."""
    if not is_installed("torch"):
        raise CheckpointError(
            f"{folder} has no weights (*.safetensors), and torch, which counts those of its"
            " config.json, is not installed; install it with: pip install 'videor1[train]', or"
            " name a hub id"
        )
    with importing("torch", "train"):
        import torch
    with importing("transformers", "train"):
        from transformers import AutoConfig, AutoModelForImageTextToText
    try:
        config = AutoConfig.from_pretrained(str(folder))
        with torch.device("meta"):
            model = AutoModelForImageTextToText.from_config(config)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise CheckpointError(
            f"{folder} has no weights (*.safetensors), and transformers builds no model from its"
            f" config.json: {reason}"
        ) from error
    return {name: tuple(weight.shape) for name, weight in model.named_parameters()}


def _missing_key_error(folder: Path, error: KeyError) -> CheckpointError:
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


def is_vision(name: str) -> bool:
    """Return whether a weight belongs to the vision tower."""
    return any(part in name for part in _VISION)


def linear_layers(shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Return the names of the layers with a matrix of weights, the vision tower left out."""
    return [
        layer
        for name, shape in shapes.items()
        for layer in [name.removesuffix(".weight")]
        if len(shape) == 2 and layer != name and not is_vision(name)
        if layer.rpartition(".")[2] not in _NOT_ADAPTED
    ]
