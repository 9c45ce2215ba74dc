"""Checks the variables that a user sets in a chat template: one that changes nothing is refused.

Engines hand unknown variables to the template, which ignores them without a word (vLLM 0.32), so
that a misspelt switch would leave the model as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.errors import UsageError
from harness.scoring.reasoning.template import Template, TemplateError

RenderWith = Callable[[Mapping[str, Any]], str]
"""Renders some chat with variables of the template; raises `TemplateError`."""

_QUESTION = {"role": "user", "content": "Which way does the ball roll?"}
_CHATS = (
    [_QUESTION],
    [{"role": "system", "content": "Look at every frame."}, _QUESTION],
    [
        _QUESTION,
        {"role": "assistant", "content": "Left.", "reasoning_content": "It rolls."},
        _QUESTION,
    ],
)
"""Chats in which a variable may show."""
_TRIED: tuple[Any, ...] = (True, False, 0, 512, "low", "high", "off", "enabled")
"""Values with which the variables of a template are found."""


def check_switches(template: Template, given: Mapping[str, Any], place: str) -> None:
    """Refuse variables that the template does not use, or does not take.

    Args:
        template: The checkpoint's chat template.
        given: Values by name of the variable.
        place: Where the template is from, for the message.

    Raises:
        UsageError: Names the variable, and those that the template knows.
    """
    renders = [_with_chat(template, chat) for chat in _CHATS]
    require_effect(renders, given, place, _used_variables(template, renders))


def require_effect(
    renders: list[RenderWith], given: Mapping[str, Any], place: str, known: tuple[str, ...] = ()
) -> None:
    """Refuse variables that change none of the renderings.

    Raises:
        UsageError: Names the variable, and those of `known`.
    """
    for name, value in given.items():
        error = _find_error(renders[0], given)
        if error is not None:
            raise UsageError(f"--template-arg {name}={value!r}: {place} refuses it: {error}")
        if not any(_changes(render, given, name, _alike(value)) for render in renders):
            knows = f"it knows: {', '.join(known)}" if known else "it knows no switch"
            raise UsageError(
                f"--template-arg {name}: {place} renders the same prompt whether it is"
                f" {value!r} or not set; {knows}"
            )


def _with_chat(template: Template, chat: list[dict[str, Any]]) -> RenderWith:
    def render(variables: Mapping[str, Any]) -> str:
        try:
            return template.render(chat, variables=variables)
        except TemplateError:
            parts = [{**m, "content": [{"type": "text", "text": m["content"]}]} for m in chat]
            return template.render(parts, variables=variables)

    return render


def _used_variables(template: Template, renders: list[RenderWith]) -> tuple[str, ...]:
    """Return the variables of a template that change a prompt."""
    try:
        names = template.variables()
    except TemplateError:
        return ()
    return tuple(
        name for name in names if any(_changes(render, {}, name, _TRIED) for render in renders)
    )


def _alike(value: Any) -> tuple[Any, ...]:
    """Return a value and another one of its type.

    A switch that is set to its default changes nothing by itself, but its other value does. A value
    of a wrong type changes nothing either way: ``no`` and 0 are not false to most templates.
    """
    if isinstance(value, bool):
        return value, not value
    if isinstance(value, int | float):
        return value, value + 12345
    return (value, "a value that no template knows") if isinstance(value, str) else (value,)


def _changes(
    render: RenderWith, given: Mapping[str, Any], name: str, values: tuple[Any, ...]
) -> bool:
    """Return whether the prompt depends on a variable; a value that is refused counts, too."""
    without = {key: value for key, value in given.items() if key != name}
    unset = _render_or_none(render, without)
    return any(_render_or_none(render, {**without, name: value}) != unset for value in values)


def _render_or_none(render: RenderWith, variables: Mapping[str, Any]) -> str | None:
    try:
        return render(variables)
    except TemplateError:
        return None


def _find_error(render: RenderWith, given: Mapping[str, Any]) -> str | None:
    try:
        render(given)
    except TemplateError as error:
        return str(error)
    return None
