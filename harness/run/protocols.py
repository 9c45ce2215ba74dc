"""Resolves the protocol of a task: a preset, changed by a file, changed by flags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness.config import build, merged
from harness.errors import UsageError, did_you_mean
from harness.files import read_file
from harness.run.config import EvalConfig, JudgeConfig
from harness.run.protocol_files import ProtocolFile
from harness.schema import FrameRule
from harness.scoring.tags import ScorerTag
from harness.task.api import Scorer, Task
from harness.task.protocol import Protocol, keep_numbers
from harness.text.stored import storable

_BOUNDS = (("min_frames", "max_frames"), ("min_pixels", "max_pixels"))
_NEARLY_GREEDY = 0.05
"""Temperature or share of probability at and below which repeats hardly differ."""


def resolve_protocol(
    task: Task, source: ProtocolFile, config: EvalConfig
) -> tuple[Protocol, Scorer]:
    """Return the protocol of a task, and the scorer that it names.

    Raises:
        UsageError: The task has no such scorer, template or preset, or a value is out of bounds.
    """
    preset = task.protocol(source.preset)
    if config.scorer is None:
        scorer = _find_scorer(task, source, preset.scorer, config.judge)
    else:
        scorer = pick_scorer(task, config.scorer, config.judge)
    return apply_changes(preset, scorer, source, config), scorer


def apply_changes(
    preset: Protocol, scorer: Scorer, source: ProtocolFile, config: EvalConfig
) -> Protocol:
    """Return a preset with a scorer and with what file and flags change, the flags last.

    Raises:
        UsageError: A value is out of bounds, the file of a system prompt cannot be read, or items
            are to be repeated although every repeat would say the same.
    """
    in_file = source.changes_of(_task_of(preset))
    in_file.pop("scorer", None)
    flags = dict(config.protocol_changes)
    if "system" in flags:
        flags["system"] = read_text_or_file(flags["system"])
    protocol = change(replace(preset, scorer=scorer.tag), in_file, source.place)
    protocol = change(protocol, flags, "settings")
    _require_tokens(protocol)
    _refuse_equal_repeats(protocol)
    return protocol


def check_scorer(tasks: Iterable[Task], name: str | None) -> None:
    """Raise `UsageError` where a task has no scorer of a name; None stands for the protocol's."""
    for task in tasks if name is not None else ():
        if name not in task.scorers:
            raise _unknown_scorer(task, str(name))


def pick_scorer(task: Task, name: str, judge: JudgeConfig | None) -> Scorer:
    """Return a task's scorer by name; a judge joins the official one where the task knows how."""
    if name not in task.scorers:
        raise _unknown_scorer(task, name)
    helped = judge and name == "official" and task.with_llm_judge(judge.url, judge.model)
    scorer = helped or task.scorers[name]
    scorer.require()
    return scorer


def _unknown_scorer(task: Task, name: str) -> UsageError:
    near = did_you_mean(name, task.scorers)
    return UsageError(
        f"task {task.name!r} has no scorer {name!r:.80}; it has: {', '.join(task.scorers)}{near}"
    )


def protocol_notes(protocol: Protocol, preset: Protocol) -> list[str]:
    """Return what a user should know of a protocol that is valid but hardly meant."""
    task, notes = _task_of(protocol), []
    sampling, frames = protocol.sampling, protocol.frames
    if sampling is not None and protocol.repeats > 1:
        notes += [
            f"{task}: {name} {value} is nearly greedy: the {protocol.repeats} repeats of an item"
            f" will hardly differ (--{name.replace('_', '-')} sets it)"
            for name, value in (("temperature", sampling.temperature), ("top_p", sampling.top_p))
            if value <= _NEARLY_GREEDY
        ]
    if frames is not None and preset.frames is not None:
        rated = frames.rule in (FrameRule.VIDEO_R1, FrameRule.PER_SECOND)
        if frames.fps != preset.frames.fps and not rated:
            notes.append(
                f"{task}: fps {frames.fps:g} changes no frame: its frame rule {frames.rule} has no"
                " rate (frames.rule in a protocol file sets it)"
            )
    return notes


def _task_of(protocol: Protocol) -> str:
    return protocol.task.partition("@")[0]


def change(protocol: Protocol, changes: Mapping[str, Any], where: str) -> Protocol:
    """Return a protocol with some fields replaced.

    A protocol of stored texts has no frames and no sampling; changes of them are left out. A cap
    below the least number of frames or pixels lowers that with it, and a least number above the cap
    raises the cap, unless both are named.

    Args:
        protocol: The protocol to start from.
        changes: New values by field name, in JSON types; nested for ``frames``, ``sampling`` and
            ``template_args``.
        where: Where the values come from, for messages.

    Raises:
        UsageError: An unknown field, a wrong type or a value out of bounds.
    """
    stored = asdict(protocol)
    for part in ("frames", "sampling"):
        if stored[part] is None:
            changes = {name: value for name, value in changes.items() if name != part}
    content = merged(stored, changes)
    frames = changes.get("frames")
    if isinstance(frames, Mapping):
        _keep_order(content["frames"], frames, where)
    return keep_numbers(build(Protocol, content, where), stored)


def read_text_or_file(value: str) -> str:
    """Return a text, or the content of the file that ``@FILE`` names, without its last newline.

    Raises:
        UsageError: The file cannot be read, or is no text.
    """
    if not value.startswith("@"):
        return storable(value)
    path = Path(value[1:]).expanduser()
    try:
        return storable(read_file(path).decode("utf-8").removesuffix("\n"))
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: expected a text in UTF-8: {error}") from None


def _keep_order(frames: dict[str, Any], changed: Mapping[str, Any], where: str) -> None:
    """Move the bound that was not named where the other one has passed it."""
    for low, high in _BOUNDS:
        try:
            if frames[low] <= frames[high]:
                continue
        except TypeError:
            continue  # `build` says which value has the wrong type
        if low in changed and high in changed:
            raise UsageError(
                f"{where}: frames.{low}: expected at most {high}, {frames[high]}, got {frames[low]}"
            )
        moved, kept = (low, high) if high in changed else (high, low)
        frames[moved] = frames[kept]


def _find_scorer(
    task: Task, source: ProtocolFile, preset: str, judge: JudgeConfig | None
) -> Scorer:
    """Return the scorer that a file names, with or without its version, else the preset's."""
    asked = source.changes_of(task.name).get("scorer", preset)
    tag = ScorerTag.parse(asked) if "@" in asked else None
    rule = asked if tag is None else tag.rule
    if asked != preset and rule not in task.scorers:
        raise UsageError(
            f"{source.place}: scorer: task {task.name!r} has no scorer {rule!r}; it has:"
            f" {', '.join(task.scorers)}"
        )
    scorer = pick_scorer(task, rule, judge)
    if tag is not None and str(tag) != scorer.tag and asked != preset:
        needed = f"; it needs --judge-model {tag.judge}" if tag.judge else ""
        raise UsageError(
            f"{source.place}: scorer: expected {asked} for {task.name}, got {scorer.tag}{needed}."
            " Write the name without a version to take the installed one"
        )
    return scorer


def _require_tokens(protocol: Protocol) -> None:
    """Raise where no token may be generated; only stored texts have such protocols."""
    if protocol.sampling is not None and protocol.sampling.max_tokens < 1:
        raise UsageError(
            f"{_task_of(protocol)}: sampling.max_tokens: expected at least 1, got"
            f" {protocol.sampling.max_tokens}"
        )


def _refuse_equal_repeats(protocol: Protocol) -> None:
    """Raise where greedy decoding would give the same answer at every repeat."""
    sampling = protocol.sampling
    if protocol.repeats > 1 and sampling is not None and sampling.greedy:
        cause = "temperature 0" if sampling.temperature == 0 else "top_k 1"
        raise UsageError(
            f"{_task_of(protocol)}: {protocol.repeats} repeats with {cause} (greedy)"
            " would all give the same answer; set --temperature above 0 (and --top-k not to 1), or"
            " leave --repeats out"
        )
