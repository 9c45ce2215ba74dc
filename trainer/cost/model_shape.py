"""What a checkpoint is made of, read from its configuration and weight headers alone.

For a hub id only configurations and headers are fetched, a few hundred kB for any model. A folder
without weights is measured by what its configuration speaks of.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import CheckpointError
from harness.models.checkpoint import HUB_ID, full_checkpoint
from harness.models.identity import read_part
from harness.models.video_processor import patch_multiple, require_video, video_processor_config
from harness.models.weights import read_tensors, weight_files
from trainer.config.sections import LoraSettings

_VISION = ("visual.", "vision_tower.", "vision_model.")
"""Parts of tensor names that belong to the vision tower."""


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
    patch_multiple: int
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
            lora.r * sum(shape)
            for name, shape in self.tensors.items()
            if len(shape) == 2
            and not _is_vision(name)
            and name.removesuffix(".weight").rpartition(".")[2] in lora.target_modules
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


def _shape(folder: Path, tensors: Mapping[str, tuple[int, ...]]) -> ModelShape:
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
            frames_per_token=video_processor_config(folder).get("temporal_patch_size", 1),
        )
    except KeyError as error:
        raise _incomplete(folder, error) from None


def _local_tensors(folder: Path) -> dict[str, tuple[int, ...]]:
    return {
        name: tuple(tensor.shape)
        for path in weight_files(folder)
        for name, tensor in read_tensors(path).items()
    }


def _planned_tensors(folder: Path) -> dict[str, tuple[int, ...]]:
    config = read_part(folder / "config.json")
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


def _is_vision(name: str) -> bool:
    return any(part in name for part in _VISION)


Weights = dict[str, tuple[int, ...]]

MODEL_TYPE = "qwen2_5_vl"


def planned_weights(config: Mapping[str, Any]) -> Weights:
    """Return the shape of every weight by name; a `KeyError` names what the configuration lacks."""
    text = {**config, **config.get("text_config", {})}
    hidden, vocabulary = text["hidden_size"], text["vocab_size"]
    weights = _vision(config["vision_config"])
    weights["model.embed_tokens.weight"] = (vocabulary, hidden)
    for number in range(text["num_hidden_layers"]):
        weights |= _layer(f"model.layers.{number}", text)
    weights["model.norm.weight"] = (hidden,)
    if not config.get("tie_word_embeddings", False):
        weights["lm_head.weight"] = (vocabulary, hidden)
    return weights


def _layer(name: str, text: Mapping[str, Any]) -> Weights:
    hidden, heads = text["hidden_size"], text["num_attention_heads"]
    kept = hidden // heads * text["num_key_value_heads"]
    return {
        f"{name}.input_layernorm.weight": (hidden,),
        f"{name}.post_attention_layernorm.weight": (hidden,),
        **_linear(f"{name}.self_attn.q_proj", hidden, hidden),
        **_linear(f"{name}.self_attn.k_proj", kept, hidden),
        **_linear(f"{name}.self_attn.v_proj", kept, hidden),
        **_linear(f"{name}.self_attn.o_proj", hidden, hidden, bias=False),
        **_gated(f"{name}.mlp", hidden, text["intermediate_size"], bias=False),
    }


def _vision(vision: Mapping[str, Any]) -> Weights:
    hidden, out = vision["hidden_size"], vision["out_hidden_size"]
    patch, frames = vision.get("patch_size", 14), vision.get("temporal_patch_size", 2)
    merged = hidden * vision.get("spatial_merge_size", 2) ** 2
    weights: Weights = {"visual.patch_embed.proj.weight": (hidden, 3, frames, patch, patch)}
    for number in range(vision["depth"]):
        name = f"visual.blocks.{number}"
        weights |= {
            f"{name}.norm1.weight": (hidden,),
            f"{name}.norm2.weight": (hidden,),
            **_linear(f"{name}.attn.qkv", 3 * hidden, hidden),
            **_linear(f"{name}.attn.proj", hidden, hidden),
            **_gated(f"{name}.mlp", hidden, vision["intermediate_size"]),
        }
    return {
        **weights,
        "visual.merger.ln_q.weight": (hidden,),
        **_linear("visual.merger.mlp.0", merged, merged),
        **_linear("visual.merger.mlp.2", out, merged),
    }


def _gated(name: str, hidden: int, intermediate: int, *, bias: bool = True) -> Weights:
    return {
        **_linear(f"{name}.gate_proj", intermediate, hidden, bias=bias),
        **_linear(f"{name}.up_proj", intermediate, hidden, bias=bias),
        **_linear(f"{name}.down_proj", hidden, intermediate, bias=bias),
    }


def _linear(name: str, rows: int, columns: int, *, bias: bool = True) -> Weights:
    weights: Weights = {f"{name}.weight": (rows, columns)}
    return {**weights, f"{name}.bias": (rows,)} if bias else weights
