"""lmms-eval's ``generation_kwargs`` as our sampling: honoured as written, or refused by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import UnavailableTaskError
from harness.schema import Sampling

DEFAULT_MAX_TOKENS = 4096
"""What lmms-eval's vLLM model gives a task that names no limit."""

_ADDED_UNTIL = ["\n\n"]
"""lmms-eval adds this to every task that names none; its own vLLM models ignore it, as here."""

_NEUTRAL: Mapping[str, Sequence[Any]] = {
    "num_beams": (1, None),
    "n": (1, None),
    "best_of": (1, None),
    "top_k": (-1, 0, None),
    "min_p": (0, 0.0, None),
    "repetition_penalty": (1, 1.0, None),
    "presence_penalty": (0, 0.0, None),
    "frequency_penalty": (0, 0.0, None),
    "length_penalty": (1, 1.0, None),
    "stop_token_ids": ([], None),
    "num_return_sequences": (1, None),
}
"""Arguments that our engines have no equal of, with the values at which they change nothing."""


def sampling_of(arguments: Mapping[str, Any]) -> Sampling:
    """Return the sampling that a task's arguments ask for.

    Raises:
        UnavailableTaskError: An argument that would change the text and cannot be honoured.
    """
    for name, neutral in _NEUTRAL.items():
        greedy = name == "top_k" and not _sampled(arguments)
        if name in arguments and arguments[name] not in neutral and not greedy:
            raise UnavailableTaskError(
                f"its generation argument {name}={arguments[name]!r} cannot be honoured"
            )
    temperature = float(arguments.get("temperature") or 0.0) if _sampled(arguments) else 0.0
    return Sampling(
        temperature=temperature,
        top_p=float(arguments.get("top_p") or 1.0) if temperature else 1.0,
        max_tokens=int(arguments.get("max_new_tokens") or DEFAULT_MAX_TOKENS),
    )


def stops_of(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the strings at which a task itself wants its texts cut."""
    until = arguments.get("until")
    until = [until] if isinstance(until, str) else list(until or ())
    return () if until == _ADDED_UNTIL else tuple(stop for stop in until if stop)


def cut(text: str, stops: Sequence[str]) -> str:
    """Return a text up to the first stop in it."""
    return text[: min((at for stop in stops if (at := text.find(stop)) >= 0), default=len(text))]


def _sampled(arguments: Mapping[str, Any]) -> bool:
    return arguments.get("do_sample") is not False
