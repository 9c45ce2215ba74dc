"""Find the sizes of well-known models where the hub cannot be reached.

``shapes`` has a folder per model: what of its ``config.json`` sizes depend on, the patch sizes of
its video processor, and the shape of every weight, as transformers 5.19 builds the model; a name
with ``{N}`` stands for N layers. Tests hold their sums to the published numbers of weights.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

SHAPES = Path(__file__).parent / "shapes"

_REPOS = {
    "Qwen/Qwen2.5-VL-7B-Instruct": "qwen2.5-vl-7b",
    "Video-R1/Qwen2.5-VL-7B-COT-SFT": "qwen2.5-vl-7b",
    "Video-R1/Video-R1-7B": "qwen2.5-vl-7b",
    "Qwen/Qwen3-VL-8B-Instruct": "qwen3-vl-8b",
    "Qwen/Qwen3-VL-8B-Thinking": "qwen3-vl-8b",
}
"""Checkpoints on the hub, and which model each of them is."""


def find_known(repo: str) -> tuple[Path, dict[str, tuple[int, ...]]] | None:
    """Return folder and weights of a checkpoint on the hub; None where its model is not known."""
    name = _REPOS.get(repo)
    if name is None:
        return None
    content = json.loads((SHAPES / name / "tensors.json").read_text(encoding="utf-8"))
    tensors = {each: tuple(shape) for key, shape in content.items() for each in _expand(key)}
    return SHAPES / name, tensors


def _expand(name: str) -> Iterator[str]:
    layers = re.search(r"\{(\d+)\}", name)
    if layers is None:
        yield name
    else:
        for number in range(int(layers[1])):
            yield f"{name[: layers.start()]}{number}{name[layers.end() :]}"
