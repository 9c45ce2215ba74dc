"""Renders a chat template without transformers, as transformers renders it.

The environment is that of transformers 5.19 (``utils/chat_template_utils.py``): sandboxed, with
blocks trimmed, loop controls, ``raise_exception``, ``strftime_now``, and the ``generation`` block
of training templates, whose content is rendered as it is.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

Message = Mapping[str, Any]

_GIVEN = frozenset({
    "messages", "add_generation_prompt", "tools", "documents", "bos_token", "eos_token",
    "pad_token", "unk_token", "raise_exception", "strftime_now", "continue_final_message",
    "return_assistant_tokens_mask", "chat_template", "date_string", "namespace", "range", "true",
    "false", "none", "custom_tools", "tools_in_user_message", "builtin_tools",
})  # fmt: skip
"""Variables that a chat has anyway, and functions of the environment."""


class TemplateError(ValueError):
    """A chat template that cannot be read, or that renders no prompt."""


@dataclass(frozen=True, slots=True)
class Template:
    """A chat template as Jinja source."""

    source: str

    def render(
        self,
        messages: Sequence[Message],
        *,
        add_generation_prompt: bool = True,
        variables: Mapping[str, Any] | None = None,
    ) -> str:
        """Return the prompt.

        Raises:
            TemplateError: The template cannot be read, or it refuses these messages or variables.
        """
        given = {
            "bos_token": "",
            "eos_token": "",
            "pad_token": "",
            "tools": None,
            "documents": None,
            **(variables or {}),
        }
        try:
            text: str = _compile(self.source).render(
                messages=messages, add_generation_prompt=add_generation_prompt, **given
            )
        except Exception as error:  # the template's own code runs here
            raise TemplateError(f"{type(error).__name__}: {error}") from error
        return text

    def variables(self) -> tuple[str, ...]:
        """Return the names of the variables that callers can set, sorted.

        Raises:
            TemplateError: The template cannot be read.
        """
        import jinja2.meta

        try:
            free = jinja2.meta.find_undeclared_variables(_environment().parse(self.source))
        except jinja2.TemplateError as error:
            raise TemplateError(f"{type(error).__name__}: {error}") from error
        return tuple(sorted(free - _GIVEN))


@lru_cache(maxsize=8)
def _compile(source: str) -> Any:
    return _environment().from_string(source)


@lru_cache(maxsize=1)
def _environment() -> Any:
    import jinja2
    import jinja2.ext
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(jinja2.ext.Extension):
        """The block around what a model is trained to write."""

        tags = {"generation"}  # noqa: RUF012 - the name and form that Jinja reads

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return jinja2.nodes.Scope(body).set_lineno(line)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    environment.globals.update(raise_exception=_raise_error, strftime_now=_format_now)
    environment.filters["tojson"] = _write_json
    environment.filters["from_json"] = environment.filters["fromjson"] = json.loads
    return environment


def _raise_error(message: str) -> None:
    import jinja2

    raise jinja2.TemplateError(message)


def _format_now(form: str) -> str:
    return datetime.datetime.now().astimezone().strftime(form)


def _write_json(value: Any, **options: Any) -> str:
    return json.dumps(value, **{"ensure_ascii": False, **options})


def added_text(longer: str, shorter: str) -> str:
    """Return what `longer` has after its common beginning with `shorter`."""
    pairs = enumerate(zip(longer, shorter, strict=False))
    return longer[next((at for at, (a, b) in pairs if a != b), min(len(longer), len(shorter))) :]
