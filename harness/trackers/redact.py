"""Removes secrets from what is sent to a tracker: keys by their names, passwords in addresses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from harness.server.endpoint import hide_password
from harness.text.shown import for_terminal

HIDDEN = "(hidden)"
_SECRET = re.compile(
    r"(^|[^a-z])(authorization|auth|bearer|cookies?|credentials?|pass(word|wd|phrase)?|secrets?"
    r"|(api|access|private|secret|signing)?[_ -]?keys?|tokens?)$",
    re.IGNORECASE,
)
"""Names of secrets: ``api_key``, ``x-auth-token``, ``HF_TOKEN``; not ``max_tokens``."""
_COUNTS = re.compile(r"(max|min|num|new|stop|prompt|output|thinking)[a-z_ -]*tokens?$", re.I)
_KEYS = re.compile(r"\b(sk-|hf_|ghp_|gho_|github_pat_|xox[abprs]-|AKIA|AIza|glpat-)[\w-]{10,}")
"""Beginnings by which common keys are known, in any text."""


def redact(value: Any, name: str = "") -> Any:
    """Return a JSON value without secrets, its control characters written out.

    Args:
        value: What is to be sent.
        name: The key under which it stands.
    """
    if isinstance(value, Mapping):
        return {for_terminal(str(key)): redact(inner, str(key)) for key, inner in value.items()}
    if _is_secret(name) and value not in (None, "", False, True):
        return HIDDEN
    if isinstance(value, list | tuple):
        return [redact(inner, name) for inner in value]
    if isinstance(value, str):
        return for_terminal(_KEYS.sub(HIDDEN, hide_password(value)))
    return value


def _is_secret(name: str) -> bool:
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return bool(_SECRET.search(snake)) and not _COUNTS.search(snake)
