"""Builds what training builds of a row, to find out before training whether it can be built."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.backends import chat
from harness.errors import DatasetError
from harness.plugins import is_installed
from harness.schema import Clip, MediaKind, Prompt
from trainer.config.sections import DataSettings, FrameSettings
from trainer.data.checks import BuildRow, build_nothing
from trainer.data.rows import TrainingRow
from trainer.data.special_tokens import OWN_TAGS
from trainer.loops.clips import ClipLoader
from trainer.loops.inputs import InputBuilder
from trainer.loops.targets import tokenize_target

_PLAIN = Prompt(text="Which?")


class RowBuilder:
    """Builds the prompt of a row with `InputBuilder`, and its target where there is one.

    Args:
        processor: The checkpoint's processor.
        frames: Which frames are taken, and their size.
        data: Settings of the rows.
        patch_multiple: The sides of a frame are multiples of this many pixels.
        targets: Whether rows have a target (SFT).
    """

    def __init__(
        self,
        processor: Any,
        frames: FrameSettings,
        data: DataSettings,
        *,
        patch_multiple: int,
        targets: bool,
    ) -> None:
        here = replace(data, decode_workers=0)  # nothing is decoded by it
        clips = ClipLoader(frames, here, patch_multiple=patch_multiple)
        self._inputs = InputBuilder(processor, clips, cache_mib=0)
        self._blank = clips.blank(frames.min_frames)
        self._processor = processor
        self._tokenizer = processor.tokenizer
        self._targets = targets
        self._special = _special_ids(processor.tokenizer)
        self._built: dict[tuple[object, ...], int] = {}
        """Shapes of clips that the processor takes, and how many more tokens than small black ones
        they become."""

    def __call__(self, row: TrainingRow, clips: tuple[Clip, ...] | None) -> int | None:
        """Build a row's inputs; without clips a small black one stands for its medium.

        So it does where clips of the same shapes were built before: what a processor makes of
        pixels depends on their shape alone, and takes twenty times as long as what it makes of the
        text (40 ms for 16 frames of 280 x 336 pixels on one core).

        Returns:
            How many tokens the prompt has; None without clips. Where a model is told the times of
            frames, those of the first clip of a shape are counted.

        Raises:
            DatasetError: The processor does not take them, or tokens come out of the row's texts
                that are no text.
        """
        shapes = tuple((clip.kind, clip.frames.shape) for clip in clips or ())
        blanks = tuple(self._blanks(row))
        shown = blanks if clips is None or shapes in self._built else clips
        less = len(self._inputs.build_row(row.sample, blanks).ids) if shown is clips else 0
        inputs = self._inputs.build_row(row.sample, shown)
        if shown is clips:
            self._built[shapes] = len(inputs.ids) - less
        more = 0 if shown is clips else self._built.get(shapes, 0)
        expected = self._count_special(chat.render(self._processor, _PLAIN, shown))
        extra = self._count_special(chat.render(self._processor, inputs.prompt, shown)) - expected
        if self._targets:
            own = [i for i in tokenize_target(self._tokenizer, row)[:-1] if i in self._special]
            extra += Counter(own)
        if extra:
            names = ", ".join(map(repr, self._tokenizer.convert_ids_to_tokens(list(extra))))
            raise DatasetError(f"its texts become special tokens of the checkpoint: {names}")
        return None if clips is None else len(inputs.ids) + more

    def _blanks(self, row: TrainingRow) -> Iterator[Clip]:
        for media in row.sample.media:
            image = media.kind is MediaKind.IMAGE
            yield replace(self._blank, kind=MediaKind.IMAGE) if image else self._blank

    def _count_special(self, text: str) -> Counter[int]:
        ids = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return Counter(token for token in ids if token in self._special)


def make_row_builder(
    folder: Path,
    frames: FrameSettings,
    data: DataSettings,
    *,
    patch_multiple: int,
    targets: bool,
) -> BuildRow:
    """Return what builds rows for the checkpoint in a folder; nothing without its processor.

    A dry run needs neither transformers nor, of a hub id, the tokenizer's files.

    Raises:
        BackendError: The processor is there, and cannot be loaded or renders no prompt.
    """
    files = ("tokenizer.json", "vocab.json", "tokenizer.model")
    if not any((folder / name).is_file() for name in files):
        return build_nothing
    if not (is_installed("torch") and is_installed("transformers")):
        return build_nothing
    processor = chat.read_processor(folder)
    return RowBuilder(processor, frames, data, patch_multiple=patch_multiple, targets=targets)


def _special_ids(tokenizer: Any) -> frozenset[int]:
    """Return the ids of tokens that no text of a row may become."""
    added = tokenizer.added_tokens_decoder
    special = {token for token, content in added.items() if content.special}
    own = {token for token, content in added.items() if content.content in OWN_TAGS}
    return frozenset({*special, *tokenizer.all_special_ids} - own)
