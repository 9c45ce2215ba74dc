"""Renders prompts and clips as model inputs, in the same way for every local engine.

The checkpoint's own chat template and processor decide the form; nothing here depends on an
architecture. Media come first in the user turn, so that the questions about one video share a
prefix. The prefill follows the generation prompt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from harness.errors import BackendError
from harness.models.chat_template import find_chat_template
from harness.models.checkpoint import Checkpoint
from harness.plugins import importing
from harness.schema import Clip, Media, MediaKind, Prompt

Message = dict[str, Any]

_TICKS_PER_S = 1e6
"""Times of clips are whole microseconds."""


def load_processor(checkpoint: Checkpoint) -> Any:
    """Load the tokenizer and the image and video processors of a checkpoint, and its chat template.

    Raises:
        BackendError: The checkpoint has no usable processor, or its template renders no prompt.
        UsageError: transformers is not installed, or its import fails.
    """
    return read_processor(checkpoint.path)


def read_processor(folder: Path) -> Any:
    """Load the processor of a folder that need not hold weights; see `load_processor`.

    The processors of transformers 5.19 ignore a template that only tokenizer_config.json holds.

    Raises:
        BackendError: The checkpoint has no usable processor, or its template renders no prompt.
        UsageError: transformers is not installed, or its import fails.
    """
    with importing("transformers", "transformers"):
        from transformers import AutoProcessor
    try:
        processor = AutoProcessor.from_pretrained(folder)
    except Exception as error:
        raise BackendError(
            f"the processor of {folder} is unusable: {type(error).__name__}: {error}"
        ) from error
    if not hasattr(processor, "tokenizer"):
        raise BackendError(f"{folder} has a tokenizer but no processor, so it takes no video")
    template = find_chat_template(folder)
    processor.chat_template = template.text
    try:
        render(processor, Prompt(text="Which?"), ())
    except Exception as error:
        raise BackendError(
            f"{template.place}: the chat template renders no prompt: {type(error).__name__}:"
            f" {error}"
        ) from error
    return processor


def messages(prompt: Prompt, clips: Sequence[Clip | Media]) -> list[Message]:
    """Return the chat turns in the form that chat templates take."""
    user = []
    for text, clip in zip_longest(prompt.before, clips):
        user += [_text_part(text)] if text else []
        user += [{"type": "image" if is_image(clip) else "video"}] if clip else []
    user.append(_text_part(prompt.text))
    turns: list[Message] = [{"role": "user", "content": user}]
    if prompt.system is not None:
        turns.insert(0, {"role": "system", "content": [_text_part(prompt.system)]})
    return turns


def render(processor: Any, prompt: Prompt, clips: Sequence[Clip], *, prompted: bool = True) -> str:
    """Render the chat with the checkpoint's template, up to the start of the answer.

    Without `prompted` the text ends with the question.
    """
    text: str = processor.apply_chat_template(
        messages(prompt, clips),
        tokenize=False,
        add_generation_prompt=prompted,
        **prompt.template_args,
    )
    return text + prompt.prefill if prompted else text


def decode(processor: Any, token_ids: Sequence[int], *, special: bool = False) -> str:
    """Decode generated token ids to text, with special tokens only if `special`."""
    text: str = processor.tokenizer.decode(
        list(token_ids), skip_special_tokens=not special, clean_up_tokenization_spaces=False
    )
    return text


def media_options(processor: Any) -> dict[str, dict[str, Any]]:
    """Return the processor arguments that keep frames as the harness made them.

    The harness has already sampled the frames and resized them to multiples of the patch. A
    processor of native resolution (it has a merge size) must not resize them again; one of fixed
    resolution keeps its own resizing.
    """
    return {
        "images_kwargs": _keep_size_options(getattr(processor, "image_processor", None)),
        "videos_kwargs": {
            "do_sample_frames": False,
            **_keep_size_options(getattr(processor, "video_processor", None)),
        },
    }


def video_metadata(clip: Clip) -> dict[str, Any]:
    """Return the times of a clip's frames in the fields that transformers and vLLM have for them.

    Engines compute times as index / rate, so the frames get indices on a grid of microseconds,
    which says the clip's own times whatever its frame rate does. Models that know one spacing per
    video (Qwen2.5-VL) compute it as ``total_num_frames / len(frames_indices) / fps``; the total is
    set so that this is the mean spacing of the frames shown.
    """
    return {
        "fps": _TICKS_PER_S,
        "duration": clip.duration_s,
        "total_num_frames": max(1, round(len(clip.timestamps) * clip.spacing_s * _TICKS_PER_S)),
        "frames_indices": [round(time * _TICKS_PER_S) for time in sorted(clip.timestamps)],
    }


def is_image(clip: Clip | Media) -> bool:
    """Return whether a clip, or what it is decoded from, is a single image."""
    return clip.kind is MediaKind.IMAGE


def images(clips: Iterable[Clip]) -> list[Any]:
    """Return the images among the clips as PIL images, in order."""
    from PIL import Image

    return [Image.fromarray(clip.frames[0]) for clip in clips if is_image(clip)]


def _text_part(text: str) -> Message:
    return {"type": "text", "text": text}


def _keep_size_options(processor: Any) -> dict[str, Any]:
    known = getattr(getattr(processor, "valid_kwargs", None), "__annotations__", {})
    options = {"do_resize": False} if "merge_size" in known else {}
    if "cap_pixels_per_frame" in known:
        # Its default is about to change and with it token counts; the harness sets the size.
        options["cap_pixels_per_frame"] = False
    return options
