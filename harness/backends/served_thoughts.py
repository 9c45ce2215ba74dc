"""Tells what a served model's prompt says of thoughts, and gets back what a parser took apart.

A vLLM server renders chats and turns tokens into text beside its API. So the marks and the state of
the prompt are found as for a local checkpoint, and the reply is read from its token ids: it is the
same whether the server has a reasoning parser that fits, one that does not, or none. Other servers
have neither; then only what they send is known.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.models.server import ServedModel
from harness.schema import Completion, Prompt, Request
from harness.scoring.reasoning.detect import TemplateThoughts, detect, end_of
from harness.scoring.reasoning.marks import AUTO, IN_TEXT, parse_rule
from harness.scoring.reasoning.switches import require_effect
from harness.scoring.reasoning.template import Message, TemplateError
from harness.server.client import Limits, ServerClient
from harness.server.endpoint import read_endpoint
from harness.server.errors import NotFoundError, ServerError
from harness.thoughts import Marks, PromptEnd

_LIMITS = Limits(timeout_s=30.0, max_retries=2)
_SPECIAL = re.compile(r"\s*(?:<[^<>\s]+>|\[[^\[\]\s]+\])\s*")
"""The text of a token that ends a reply."""


@dataclass(frozen=True, slots=True)
class _Served:
    """What a server's template says of thoughts under some variables."""

    marks: Marks | None
    prompt_end: PromptEnd
    close_ids: tuple[int, ...]
    """Tokens of the closing mark alone."""


class ServedThoughts:
    """Reads the thoughts of replies of one served model; safe for use by several threads."""

    def __init__(self, client: ServerClient, model: str) -> None:
        self._client = client
        self._model = model
        self._known: dict[str, _Served | None] = {}
        self._lock = threading.Lock()

    def complete(self, request: Request, completion: Completion) -> Completion:
        """Return a completion with the undamaged reply and what the prompt says of thoughts."""
        if request.reasoning == IN_TEXT or completion.refused:
            return completion
        named = None if request.reasoning == AUTO else parse_rule(request.reasoning)
        served = self._read_template(request.prompt, named)
        if served is None:
            # The server has read the thought, or nothing is known of the prompt.
            return replace(completion, marks=named)
        whole = self._whole_text(request, completion)
        if whole is None:
            closed = PromptEnd.CLOSED if completion.reasoning else served.prompt_end
            return replace(completion, marks=served.marks, prompt_end=closed)
        return replace(
            completion,
            text=whole,
            reasoning=None,
            marks=served.marks,
            prompt_end=served.prompt_end,
            reasoning_tokens=_tokens_until(completion.token_ids, served.close_ids),
        )

    def require_switches(self, given: Mapping[str, Any]) -> None:
        """Refuse template variables that change no prompt of the server.

        A server that renders no chats cannot be asked, and takes them unchecked.

        Raises:
            UsageError: A variable changes nothing, or the template refuses its value.
        """
        if not given:
            return
        question = {"role": "user", "content": "Which way does the ball roll?"}
        chats: list[list[Message]] = [
            [question],
            [{"role": "system", "content": "Look at every frame."}, question],
        ]
        try:
            self._tokens(chats[0], {}, prompted=True)
        except NotFoundError:
            return
        except ServerError:
            pass

        def render_with(chat: list[Message]) -> Any:
            def render(variables: Mapping[str, Any]) -> str:
                try:
                    return repr(self._tokens(chat, variables, prompted=True))
                except ServerError as error:
                    raise TemplateError(str(error)) from error

            return render

        require_effect([render_with(chat) for chat in chats], given, "the server's chat template")

    def _tokens(
        self, messages: Sequence[Message], variables: Mapping[str, Any], *, prompted: bool
    ) -> tuple[int, ...]:
        return self._client.tokenize_chat(
            self._model,
            messages,
            add_generation_prompt=prompted,
            chat_template_kwargs=dict(variables),
        )

    def _read_template(self, prompt: Prompt, named: Marks | None) -> _Served | None:
        """Return what the template says under a prompt's variables; None: it cannot be asked."""
        key = repr((sorted(prompt.template_args.items()), prompt.system, prompt.prefill, named))
        with self._lock:
            if key not in self._known:
                try:
                    self._known[key] = self._ask_template(prompt, named)
                except (ServerError, TemplateError):
                    self._known[key] = None
            return self._known[key]

    def _ask_template(self, prompt: Prompt, named: Marks | None) -> _Served:
        system = [{"role": "system", "content": prompt.system}] if prompt.system else []

        def render(messages: Sequence[Message], prompted: bool) -> str:
            try:
                tokens = self._tokens([*system, *messages], prompt.template_args, prompted=prompted)
            except NotFoundError:
                raise
            except ServerError as error:
                raise TemplateError(str(error)) from error
            return self._client.detokenize(self._model, tokens)

        found: TemplateThoughts = detect(render)
        marks = named or found.marks
        end = end_of(prompt.prefill or found.tail, marks)
        return _Served(marks, end, self._mark_ids(marks))

    def _mark_ids(self, marks: Marks | None) -> tuple[int, ...]:
        """Return the tokens of a closing mark: what a chat has more with it than without it."""
        if marks is None:
            return ()
        text = [{"role": "user", "content": f"x{marks.close}x"}]
        bare = [{"role": "user", "content": "xx"}]
        with_mark = self._tokens(text, {}, prompted=False)
        without = self._tokens(bare, {}, prompted=False)
        head = next(
            (at for at, (a, b) in enumerate(zip(with_mark, without, strict=False)) if a != b), 0
        )
        for start in range(max(0, head - 1), min(head + 2, len(with_mark))):
            if self._client.detokenize(self._model, [with_mark[start]]).strip() == marks.close:
                return (with_mark[start],)
        return ()

    def _whole_text(self, request: Request, completion: Completion) -> str | None:
        """Return the text of all generated tokens but the one that ended the reply."""
        tokens = completion.token_ids
        if not tokens:
            return None
        try:
            text = self._client.detokenize(self._model, tokens)
            if completion.finish_reason == "stop" and not request.sampling.stop:
                last = self._client.detokenize(self._model, tokens[-1:])
                if _SPECIAL.fullmatch(last):
                    text = text.removesuffix(last)
        except ServerError:
            return None
        return text


def check_served_switches(model: ServedModel, given: Mapping[str, Any]) -> None:
    """Refuse variables that change no prompt of a served model.

    Raises:
        UsageError: A variable changes nothing, or the template refuses its value.
    """
    client = ServerClient(read_endpoint(model.base_url), _LIMITS)
    try:
        ServedThoughts(client, model.model).require_switches(given)
    finally:
        client.close()


def _tokens_until(token_ids: Sequence[int], close_ids: tuple[int, ...]) -> int | None:
    """Return the number of tokens up to the last closing mark; None: it cannot be found."""
    if len(close_ids) != 1:
        return None
    places = [at for at, token in enumerate(token_ids, 1) if token == close_ids[0]]
    return places[-1] if places else None
