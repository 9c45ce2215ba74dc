"""Running a command as the command line does, and a checkpoint that is all headers."""

from __future__ import annotations

import json
from pathlib import Path

from harness.cli import commands
from harness.cli.commands import Command
from harness.cli.exits import CommandResult, Exit
from harness.errors import UsageError

LAYERS, HIDDEN, INTERMEDIATE, VOCABULARY = 2, 8, 16, 50
SHAPES = {
    "visual.patch_embed.weight": (8, 12),
    "lm_head.weight": (VOCABULARY, HIDDEN),
    "model.embed_tokens.weight": (VOCABULARY, HIDDEN),
    **{f"model.layers.{n}.self_attn.q_proj.weight": (HIDDEN, HIDDEN) for n in range(LAYERS)},
    **{f"model.layers.{n}.self_attn.k_proj.weight": (4, HIDDEN) for n in range(LAYERS)},
    **{f"model.layers.{n}.self_attn.v_proj.weight": (4, HIDDEN) for n in range(LAYERS)},
    **{f"model.layers.{n}.self_attn.o_proj.weight": (HIDDEN, HIDDEN) for n in range(LAYERS)},
    **{f"model.layers.{n}.mlp.up_proj.weight": (INTERMEDIATE, HIDDEN) for n in range(LAYERS)},
}
CONFIG = {
    "video_token_id": 3,
    "text_config": {
        "num_hidden_layers": LAYERS,
        "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE,
        "vocab_size": VOCABULARY,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
    },
}
VIDEO_PROCESSOR = {"patch_size": 14, "merge_size": 2, "temporal_patch_size": 2}


def run(command: Command, *argv: str | Path) -> CommandResult:
    """Run one command; a usage error becomes its verdict."""
    try:
        return commands.run(command, [str(word) for word in argv])
    except UsageError as error:
        return CommandResult(Exit.USAGE, str(error))


def write_checkpoint(folder: Path, *, config: object = None, video: bool = True) -> Path:
    """Write a checkpoint that no engine can load, but that can be identified and measured."""
    folder.mkdir(parents=True, exist_ok=True)
    processor = {"video_processor": VIDEO_PROCESSOR} if video else {"image_processor": {}}
    for name, content in (
        ("config.json", CONFIG if config is None else config),
        ("tokenizer.json", {}),
        ("processor_config.json", processor),
    ):
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    (folder / "chat_template.jinja").write_text("{{ messages }}", encoding="utf-8")
    write_weights(folder / "model.safetensors")
    return folder


def write_weights(path: Path, fill: int = 0) -> Path:
    """Write a whole safetensors file of zeros, or of another byte."""
    header: dict[str, object] = {}
    end = 0
    for name, shape in SHAPES.items():
        begin, end = end, end + 4 * shape[0] * shape[1]
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes([fill]) * end)
    return path
