"""Decodes replies of local engines, with their marks of thoughts where the protocol asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.backends import chat
from harness.schema import Clip, Completion, Prompt, Request
from harness.scoring.reasoning.detect import detect, end_of
from harness.scoring.reasoning.marks import AUTO, IN_TEXT, parse_rule
from harness.scoring.reasoning.template import Message, TemplateError, added_text
from harness.thoughts import Marks, PromptEnd


class ThoughtReader:
    """Reads the thoughts of replies to prompts of one checkpoint."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self._marks: dict[str, Marks | None] = {}

    def complete(
        self, request: Request, token_ids: Sequence[int], finish_reason: str, **counts: Any
    ) -> Completion:
        """Return the completion of a request from its generated tokens.

        Args:
            request: The request; its rule for thoughts decides how the tokens are decoded.
            token_ids: All generated tokens.
            finish_reason: ``stop`` or ``length``.
            counts: Further fields of the completion.
        """
        kept = tuple(token_ids)
        if request.reasoning == IN_TEXT:
            text = chat.decode(self._processor, kept)
            return Completion(text=text, finish_reason=finish_reason, token_ids=kept, **counts)
        marks = self._marks_for(request.prompt, request.reasoning)
        text, ends = self._decode(kept, finish_reason)
        return Completion(
            text=text,
            finish_reason=finish_reason,
            token_ids=kept,
            token_ends=ends,
            marks=marks,
            prompt_end=self._prompt_end(request.prompt, request.clips, marks),
            **counts,
        )

    def _marks_for(self, prompt: Prompt, rule: str) -> Marks | None:
        """Return the marks that the protocol names, else those of the template."""
        if rule != AUTO:
            return parse_rule(rule)
        key = repr(sorted(prompt.template_args.items()))
        if key not in self._marks:
            self._marks[key] = self._find_marks(prompt)
        return self._marks[key]

    def _find_marks(self, prompt: Prompt) -> Marks | None:
        def render(messages: Sequence[Message], prompted: bool) -> str:
            try:
                text: str = self._processor.apply_chat_template(
                    [dict(message) for message in messages],
                    tokenize=False,
                    add_generation_prompt=prompted,
                    **prompt.template_args,
                )
            except Exception as error:
                raise TemplateError(f"{type(error).__name__}: {error}") from error
            return text

        return detect(render, self._processor.chat_template).marks

    def _prompt_end(self, prompt: Prompt, clips: Sequence[Clip], marks: Marks | None) -> PromptEnd:
        """Return the state in which what follows the question leaves the reply."""
        longer = chat.render(self._processor, prompt, clips)
        shorter = chat.render(self._processor, prompt, clips, prompted=False)
        return end_of(added_text(longer, shorter), marks)

    def _decode(
        self, token_ids: tuple[int, ...], finish_reason: str
    ) -> tuple[str, tuple[int, ...]]:
        """Return the text with special tokens, without the one that ended it, and token ends."""
        tokenizer = self._processor.tokenizer
        special = set(tokenizer.all_special_ids)
        shown = list(token_ids)
        if finish_reason == "stop" and shown and shown[-1] in special:
            shown.pop()
        text = chat.decode(self._processor, shown, special=True)
        ends = _token_ends(tokenizer, shown)
        return text, ends if ends and ends[-1] == len(text) else ()


def _token_ends(tokenizer: Any, token_ids: Sequence[int]) -> tuple[int, ...]:
    """Return the length of the text up to each token; nothing for a slow tokenizer."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return ()
    from tokenizers.decoders import DecodeStream

    stream, length, ends = DecodeStream(skip_special_tokens=False), 0, []
    for token_id in token_ids:
        length += len(stream.step(backend, token_id) or "")
        ends.append(length)
    return tuple(ends)
