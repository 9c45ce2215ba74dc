"""``videor1 eval --dry-run``: everything a run would use, before anything is spent on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from harness.cli.exits import CommandResult, Exit
from harness.run.between_frames import cut_clips
from harness.run.config import DecodeConfig
from harness.run.media_check import check_media
from harness.run.plan import Plan, PlannedTask
from harness.run.token_estimate import FrameTokens, count_text_tokens, estimate_frame_tokens
from harness.schema import Clip, Failure, Sample, Variant
from harness.video.jobs import DecodeJob, decode_job
from harness.video.pool import DecodePool

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from harness.backends.select import ResolvedEngine
    from harness.run.evaluate import EvalJob

_PROBES_PER_TASK = 2


@dataclass(frozen=True, slots=True)
class _Probes:
    """A few decoded clips of every task."""

    jobs: Mapping[str, int]
    """Number of clips to decode, by task; what tasks share is counted once."""
    items: Mapping[str, Sequence[Sequence[Clip]]]
    """Clips that were decoded for the estimate of tokens, by task."""
    tried: int


def print_dry_run(console: Console, job: EvalJob) -> CommandResult:
    """Print the plan; what would stop the run raises, such as missing media or a broken engine."""
    from harness.cli.protocol_table import protocol_table
    from harness.text.console import styled

    engine, plan = job.engine, job.plan
    console.print(styled(("checkpoint", "bold"), f" {engine.checkpoint}, backend {engine.backend}"))
    if engine.missing:
        console.print(f"nothing can be run here: {engine.missing}", style="yellow", markup=False)
    console.print(styled(("run directory", "bold"), f" {job.out}"))
    console.print(protocol_table(plan.tasks))
    warnings, _ = check_media(plan, allow_missing=job.config.allow_missing)
    for warning in (*plan.notes, *warnings):
        console.print(warning, style="yellow", markup=False)
    engine.check()
    probes = _decode_probes(plan, job.config.decode, engine.patch_multiple)
    prompts = {one.task.name: _render_first(one, engine) for one in plan.tasks}
    _print_prompt(console, plan.tasks[0], prompts[plan.tasks[0].task.name], engine)
    console.print(_token_table(plan, engine, probes, prompts))
    console.print(_token_note(engine, prompts), style="dim", markup=False)
    console.print(_decode_estimate(probes, job.config.decode))
    return CommandResult(Exit.OK, f"{plan.n_answers} {plan.unit} are ready; nothing was run")


def _render_first(planned: PlannedTask, engine: ResolvedEngine) -> str:
    """Return the prompt of a task's first item as the model reads it."""
    from harness.backends.light_chat import render_prompt

    sample = planned.samples[0]
    prompt = planned.prompt(sample)
    if engine.folder is not None:
        return render_prompt(engine.folder, prompt, _media(planned, sample))
    turns = [("system", prompt.system), ("user", prompt.text), ("assistant", prompt.prefill)]
    return "\n".join(f"[{role}] {text}" for role, text in turns if text)


def _print_prompt(
    console: Console, planned: PlannedTask, text: str, engine: ResolvedEngine
) -> None:
    from rich.panel import Panel
    from rich.text import Text

    where = "" if engine.folder else " (turns; the server applies its chat template)"
    title = f"{planned.samples[0].id} as the model reads it{where}"
    console.print(Panel(Text(text), title=Text(title), title_align="left"))


def _token_table(
    plan: Plan, engine: ResolvedEngine, probes: _Probes, prompts: Mapping[str, str]
) -> Table:
    """Return the numbers of items, videos and tokens of every task."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("task", style="bold", no_wrap=True)
    for heading in ("items", "repeats", "videos", "frames", "tokens of frames", "of text",
                    "of answer, at most"):  # fmt: skip
        table.add_column(heading, justify="right")
    for planned in plan.tasks:
        name = planned.task.name
        items = probes.items.get(name, ())
        if planned.images:
            items = [cut_clips(clips) for clips in items]
        found = estimate_frame_tokens(items, engine.patch_multiple, engine.folder)
        count, exact = count_text_tokens(prompts[name], engine.folder)
        table.add_row(
            planned.selection,
            str(len(planned.samples)),
            str(planned.protocol.repeats),
            str(len({sample.media for sample in planned.samples if sample.media})),
            *_frame_cells(found),
            f"{'' if exact else '≈ '}{count:,}",
            f"{planned.sampling.max_tokens:,}",
        )
    return table


def _frame_cells(found: FrameTokens | None) -> tuple[str, str]:
    if found is None:
        return "-", "-"
    return f"{found.frames:.0f}", f"≈ {found.tokens:,.0f}"


def _token_note(engine: ResolvedEngine, prompts: Mapping[str, str]) -> str:
    grid = engine.patch_multiple
    source = "the checkpoint's video processor" if engine.folder else "an assumed video processor"
    exact = all(count_text_tokens(text, engine.folder)[1] for text in prompts.values())
    text = "counted by the tokenizer" if exact else "estimated, 4 characters each"
    return (
        f"tokens per item, estimated: frames by {source} ({grid} x {grid} pixels a token; clips of"
        f" {_PROBES_PER_TASK} videos per task, texts between frames not counted); text of the first"
        f" item, {text}"
    )


def _media(planned: PlannedTask, sample: Sample) -> Sequence[Clip]:
    """Return what stands for the media in a prompt; a blind item has none."""
    shown = () if planned.frames.order is Variant.BLIND else sample.media
    return shown  # type: ignore[return-value]


def _decode_probes(plan: Plan, decoding: DecodeConfig, patch_multiple: int) -> _Probes:
    """Decode a few clips of every task."""
    seen: dict[DecodeJob, str] = {}
    chosen: dict[str, list[DecodeJob]] = {}
    counts: dict[str, int] = {}
    for planned in plan.tasks:
        jobs = list(
            dict.fromkeys(
                decode_job(sample.media, planned.frames, patch_multiple=patch_multiple)
                for sample in planned.samples
                if _media(planned, sample)
            )
        )
        name = planned.task.name
        counts[name] = sum(job not in seen for job in jobs)
        seen |= dict.fromkeys(jobs, name)
        chosen[name] = jobs[:: max(1, len(jobs) // _PROBES_PER_TASK)][:_PROBES_PER_TASK]
    probes = list(dict.fromkeys(job for jobs in chosen.values() for job in jobs))
    clips: dict[DecodeJob, tuple[Clip, ...]] = {}
    with DecodePool(workers=1, timeout_s=decoding.decode_timeout, max_bytes=1 << 30) as pool:
        for job, decoded in pool.decode(probes):
            pool.release(job)
            if not isinstance(decoded, Failure):
                clips[job] = decoded
    items = {name: [clips[job] for job in jobs if job in clips] for name, jobs in chosen.items()}
    return _Probes(counts, items, len(probes))


def _decode_estimate(probes: _Probes, decoding: DecodeConfig) -> str:
    """Scale the time of the probes up to all clips and down by the workers."""
    if not probes.tried:
        return "no media to decode"
    times = [
        sum(clip.decode_s for clip in clips) for items in probes.items.values() for clips in items
    ]
    if not times:
        return f"none of {probes.tried} probed videos could be decoded; run `videor1 data check`"
    total, each = sum(probes.jobs.values()), sum(times) / len(times)
    whole = timedelta(seconds=round(each * total / decoding.workers))
    return (
        f"decoding {total} clips: about {whole} with {decoding.workers} workers"
        f" ({each:.2f} s each, measured on {len(times)})"
    )
