"""Checks before an engine starts what a protocol asks of templates and engines beyond prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import UsageError
from harness.models.chat_template import find_chat_template
from harness.models.checkpoint import Checkpoint
from harness.scoring.reasoning.detect import detect
from harness.scoring.reasoning.marks import AUTO, IN_TEXT, parse_rule
from harness.scoring.reasoning.switches import check_switches
from harness.scoring.reasoning.template import Template, TemplateError
from harness.thoughts import Marks


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one task's protocol asks of the chat template and of the engine."""

    task: str
    template_args: Mapping[str, Any]
    reasoning: str
    thinking_budget: int | None
    max_tokens: int | None
    """None: the task's own."""
    images: int = 0
    """Images of one request, where its frames are shown as images."""


def refuse_switches(asked: Sequence[Asked], engine: str) -> None:
    """Raise `UsageError` where an engine without a chat template is asked to set its variables."""
    for given in different_switches(asked):
        raise UsageError(f"--template-arg {next(iter(given))}: the {engine} engine has no template")


def refuse_budget(asked: Sequence[Asked], engine: str) -> None:
    """Raise `UsageError` where an engine is asked for a bound on thoughts that it does not have."""
    if any(one.thinking_budget is not None for one in asked):
        raise UsageError(
            f"--thinking-budget: the {engine} engine has none; take --backend vllm or a vLLM server"
        )


def check_template(asked: Sequence[Asked], checkpoint: Checkpoint) -> None:
    """Refuse template variables that change nothing in the prompts of a checkpoint.

    Raises:
        UsageError: Names the variable, and those that the template knows.
        CheckpointError: There are variables, and the checkpoint has no chat template.
    """
    for given in different_switches(asked):
        stored = find_chat_template(checkpoint.path)
        check_switches(Template(stored.text), given, str(stored.place))


def budget_marks(asked: Sequence[Asked], checkpoint: Checkpoint) -> Marks | None:
    """Return the marks by which an engine bounds thoughts; None: no task has a budget.

    Raises:
        UsageError: The marks are not known, differ between tasks, or leave no room for an answer.
    """
    bounded = [one for one in asked if one.thinking_budget is not None]
    found = [_marks_of(one, checkpoint) for one in bounded]
    for one in bounded:
        _require_room(one)
    if len(set(found)) > 1:
        raise UsageError("--thinking-budget: the tasks of one run need the same marks of thoughts")
    return found[0] if found else None


def _require_room(one: Asked) -> None:
    budget, limit = one.thinking_budget, one.max_tokens
    if limit is not None and budget is not None and budget >= limit:
        raise UsageError(
            f"{one.task}: --thinking-budget {budget} leaves no token for the answer; set"
            f" --max-tokens above it (now {limit})"
        )


def _marks_of(one: Asked, checkpoint: Checkpoint) -> Marks:
    named = None if one.reasoning in (AUTO, IN_TEXT) else parse_rule(one.reasoning)
    stored = find_chat_template(checkpoint.path)
    found = named or _detect(Template(stored.text), one.template_args)
    if found is None or not found.open:
        raise UsageError(
            f"--thinking-budget: {stored.place} has no marks of thoughts; name them with"
            " --reasoning think, or OPEN...CLOSE"
        )
    return found


def _detect(template: Template, variables: Mapping[str, Any]) -> Marks | None:
    def render(messages: Any, prompted: bool) -> str:
        return template.render(messages, add_generation_prompt=prompted, variables=variables)

    try:
        return detect(render, template.source).marks
    except TemplateError:
        return None


def different_switches(asked: Sequence[Asked]) -> list[Mapping[str, Any]]:
    """Return the different sets of template variables, without the empty one."""
    kept: list[Mapping[str, Any]] = []
    for one in asked:
        if one.template_args and one.template_args not in kept:
            kept.append(one.template_args)
    return kept
