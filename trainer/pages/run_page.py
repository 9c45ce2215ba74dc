"""Writes the pages of a training run: curves, times, scores, and completions with their frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.config import build
from harness.models.video_processor import patch_multiple
from harness.report.folder import FRAMES, INDEX, make_place
from harness.report.static import StaticPages
from harness.run.items import evenly_spaced
from harness.schema import Failure, Media, MediaKind
from harness.video.jobs import DecodeJob, heaviest_first
from harness.video.pool import DecodePool
from trainer.config.sections import FrameSettings
from trainer.pages.curves import make_curves, mean_rewards
from trainer.pages.pictures import Pictures
from trainer.runs.completions_view import Group, read_completions
from trainer.runs.folder import COMPLETIONS, read_manifest
from trainer.runs.learnt import read_learnt
from trainer.runs.phase_times import read_phase_times
from trainer.runs.row_check import PATCH_MULTIPLE
from trainer.watch.found import find_watches
from trainer.watch.timeline import Timeline, read_timeline

STEPS = "steps"
_PICTURE_BYTES = 100_000_000
_POOL_BYTES = 256 << 20
_TIMEOUT_S = 120.0
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
"""Suffixes of images; completions name the file of a medium without its kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Which completions the pages show."""

    steps: int
    """Steps at most, evenly spaced; the first is among them."""
    step: int | None = None
    """Only this step."""
    row_id: str | None = None
    """Only this row."""
    workers: int = 1
    """Decode processes."""


def write_run_pages(
    run: Path, out: Path, shown: Shown, say: Callable[[str], None] = lambda text: None
) -> Path:
    """Write the pages of a run into a folder; returns the first page.

    Args:
        run: Folder of a training run.
        out: Folder of the pages; older ones in it are replaced.
        shown: Which completions are shown.
        say: Called with what is being done.

    Raises:
        UsageError: The folder is no training run, or `out` holds other files.
    """
    manifest = read_manifest(run)
    make_place(out, FRAMES, STEPS)
    say("reading the run")
    timeline = Timeline(name=run.name, points=(), metrics=read_timeline(run, run).metrics)
    groups = list(read_completions(run)) if (run / COMPLETIONS).is_file() else []
    chosen = _choose(groups, shown)
    pictures = Pictures(out / FRAMES, _PICTURE_BYTES)
    _draw(pictures, chosen, manifest, shown.workers, say)
    pages = StaticPages(out, "trainer.pages")
    by_step: dict[int, list[Group]] = {}
    for group in chosen:
        by_step.setdefault(group["step"], []).append(group)
    _write_steps(pages, run, by_step, pictures)
    curves = make_curves(timeline)
    return pages.write(
        INDEX,
        "run.html",
        run=run.name,
        manifest=manifest,
        learnt=read_learnt(run),
        times=read_phase_times(run),
        curves=[curve for curve in curves if curve.is_main],
        others=[curve for curve in curves if not curve.is_main],
        watches=find_watches(run),
        steps=[(step, name_page(step), len(found)) for step, found in by_step.items()],
        rewards=mean_rewards(chosen),
        all_steps=len({group["step"] for group in groups}),
    )


def name_page(step: int) -> str:
    """Return the file of a step's page, relative to the first page."""
    return f"{STEPS}/step-{step:06d}.html"


def _choose(groups: Sequence[Group], shown: Shown) -> list[Group]:
    found = [group for group in groups if shown.row_id in (None, group["id"])]
    steps = sorted({group["step"] for group in found})
    kept = {shown.step} if shown.step is not None else set(evenly_spaced(tuple(steps), shown.steps))
    return sorted((g for g in found if g["step"] in kept), key=lambda group: group["step"])


def _write_steps(
    pages: StaticPages, run: Path, by_step: Mapping[int, list[Group]], pictures: Pictures
) -> None:
    order = list(by_step)
    for at, step in enumerate(order):
        pages.write(
            name_page(step),
            "step.html",
            run=run.name,
            step=step,
            before=Path(name_page(order[at - 1])).name if at else None,
            after=Path(name_page(order[at + 1])).name if at + 1 < len(order) else None,
            groups=[
                {
                    **group,
                    "pictures": [(path, pictures.find(_medium(path))) for path in group["media"]],
                    "names": _reward_names(group),
                }
                for group in by_step[step]
            ],
        )


def _reward_names(group: Group) -> list[str]:
    completions = (*group["ordered"], *group["shuffled"])
    return list(dict.fromkeys(name for one in completions for name in one["rewards"]))


def _medium(path: str) -> Media:
    is_image = Path(path).suffix.lower() in _PICTURES
    return Media(path=Path(path), kind=MediaKind.IMAGE if is_image else MediaKind.VIDEO)


def _draw(
    pictures: Pictures,
    groups: Iterable[Group],
    manifest: Mapping[str, Any],
    workers: int,
    say: Callable[[str], None],
) -> None:
    """Decode every medium of the groups once, with the frames of the training, and draw it."""
    frames = build(FrameSettings, manifest["recipe"]["frames"], "train.json")
    start = Path(manifest["recipe"]["model"]["checkpoint"]).expanduser()
    multiple = patch_multiple(start) if start.is_dir() else PATCH_MULTIPLE
    media = dict.fromkeys(_medium(path) for group in groups for path in group["media"])
    jobs = [
        DecodeJob(media=(one,), policy=frames.policy(one.kind), patch_multiple=multiple)
        for one in media
        if one.path.exists()
    ]
    with DecodePool(workers=workers, timeout_s=_TIMEOUT_S, max_bytes=_POOL_BYTES) as pool:
        for done, (job, decoded) in enumerate(pool.decode(heaviest_first(jobs)), start=1):
            say(f"decoded {done} of {len(jobs)} files")
            if not isinstance(decoded, Failure):
                pictures.draw(job.media[0], decoded[0])
            pool.release(job)
