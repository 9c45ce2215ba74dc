"""Convert lmms-eval's ``generation_kwargs`` to our sampling; arguments are honoured or refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import UnavailableTaskError
from harness.schema import Sampling

DEFAULT_MAX_TOKENS = 4096
"""The default of lmms-eval's vLLM model for tasks without a limit."""

_ADDED_UNTIL = ["\n\n"]
"""lmms-eval adds this to every task without stops; its vLLM models ignore it, and so do we."""

_NEUTRAL: Mapping[str, Sequence[Any]] = {
    "num_beams": (1, None),
    "n": (1, None),
    "best_of": (1, None),
    "length_penalty": (1, 1.0, None),
    "stop_token_ids": ([], None),
    "num_return_sequences": (1, None),
}
"""Arguments without an equivalent in our engines, with the values at which they change nothing."""


def sampling_of(arguments: Mapping[str, Any]) -> Sampling:
    """Return the sampling for a task's generation arguments.

    Raises:
        UnavailableTaskError: An argument would change the text and has no equivalent here.
    """
    for name, neutral in _NEUTRAL.items():
        if name in arguments and arguments[name] not in neutral:
            raise UnavailableTaskError(
                f"its generation argument {name}={arguments[name]!r} cannot be honoured"
            )
    try:
        temperature = float(arguments.get("temperature") or 0.0) if _is_sampled(arguments) else 0.0
        return Sampling(
            temperature=temperature,
            max_tokens=int(arguments.get("max_new_tokens") or DEFAULT_MAX_TOKENS),
            **(_limits_of(arguments) if temperature else {}),
            **_penalties_of(arguments),
        )
    except (TypeError, ValueError) as error:
        raise UnavailableTaskError(
            f"its generation arguments cannot be honoured: {error}"
        ) from None


def _limits_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return from which tokens is sampled; without sampling it changes nothing."""
    return {
        "top_p": float(arguments.get("top_p") or 1.0),
        "top_k": max(0, int(arguments.get("top_k") or 0)),  # -1 means all, as 0 does here
        "min_p": float(arguments.get("min_p") or 0.0),
    }


def _penalties_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the penalties, which change greedy texts, too."""
    return {
        "repetition_penalty": float(arguments.get("repetition_penalty") or 1.0),
        "presence_penalty": float(arguments.get("presence_penalty") or 0.0),
        "frequency_penalty": float(arguments.get("frequency_penalty") or 0.0),
    }


def stops_of(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the strings at which a task cuts its responses."""
    until = arguments.get("until")
    until = [until] if isinstance(until, str) else list(until or ())
    return () if until == _ADDED_UNTIL else tuple(stop for stop in until if stop)


def cut(text: str, stops: Sequence[str]) -> str:
    """Return a text up to the first of the stops in it."""
    return text[: min((at for stop in stops if (at := text.find(stop)) >= 0), default=len(text))]


def _is_sampled(arguments: Mapping[str, Any]) -> bool:
    return arguments.get("do_sample") is not False
