"""Checks rows alone, without a recipe that is trained: every fault, and how the rows are spread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.models.video_processor import patch_multiple, require_video
from harness.schema import Clip, Media
from trainer.config.algorithms import Algorithm
from trainer.config.recipe import GRPORecipe
from trainer.config.row_check import RowCheckSettings
from trainer.cost.model_shape import read_shape
from trainer.data.checks import BuildRow, CheckWatcher, RowNeeds, RowReport, check_rows
from trainer.data.special_tokens import special_tokens
from trainer.data.survey import Measured
from trainer.runs.train import OnChecked

PATCH_MULTIPLE = 28
"""Multiple of frame sides, in pixels, without a checkpoint: Qwen2.5-VL's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedRows:
    """What a check of rows found."""

    report: RowReport
    measured: Measured


def check_alone(
    settings: RowCheckSettings,
    *,
    algorithm: Algorithm,
    checkpoint: str | None,
    on_checked: OnChecked,
    on_decoded: Callable[[Media, Clip], None] = lambda media, clip: None,
) -> CheckedRows:
    """Check every row, as `videor1 train` checks those of its recipe.

    Args:
        settings: Which rows, and which frames.
        algorithm: What the rows are for: it says whether they need a rationale.
        checkpoint: Folder or hub id whose processor builds the prompts; None: none is built.
        on_checked: Called with (checked, total) media or rows.
        on_decoded: Called with every medium that could be decoded.
    """
    measured = Measured()
    folder = None if checkpoint is None else _find_parts(checkpoint)
    multiple = PATCH_MULTIPLE if folder is None else patch_multiple(folder)

    def see_clip(media: Media, clip: Clip) -> None:
        measured.see_clip(media, clip)
        on_decoded(media, clip)

    report = check_rows(
        settings.data,
        settings.frames,
        patch_multiple=multiple,
        needs=_make_needs(algorithm, settings, folder, multiple),
        watcher=CheckWatcher(
            on_checked=on_checked, on_decoded=see_clip, on_built=measured.see_built
        ),
    )
    return CheckedRows(report=report, measured=measured)


def _make_needs(
    algorithm: Algorithm, settings: RowCheckSettings, folder: Path | None, multiple: int
) -> RowNeeds:
    rationale, rewarded = algorithm.needs_rationale, issubclass(algorithm.recipe, GRPORecipe)
    if folder is None:
        return RowNeeds(rationale=rationale, rewarded=rewarded)
    build: BuildRow = algorithm.load_row_builder()(
        folder, settings.frames, settings.data, patch_multiple=multiple, targets=rationale
    )
    return RowNeeds(
        rationale=rationale,
        rewarded=rewarded,
        special_tokens=special_tokens(folder),
        build=build,
    )


def _find_parts(checkpoint: str) -> Path:
    """Return the folder of a checkpoint's configurations and tokenizer; weights are not needed."""
    folder = Path(checkpoint).expanduser()
    if not folder.is_dir():
        return read_shape(checkpoint).folder
    require_video(folder)
    return folder
