"""Reads the address of a Ray cluster, and finds out whether anybody listens there.

Ray itself tries for minutes, with a page of warnings, before it gives up.
"""

from __future__ import annotations

import re
import socket

from harness.errors import BackendError

_ANSWER_S = 10.0
_ADDRESS = re.compile(r"(?P<host>[\w.-]+|\[[0-9a-fA-F:.]+\]):(?P<port>\d{1,5})")
AUTO = "auto"
"""The cluster of which this machine is a node."""


def split_address(text: str) -> tuple[str, int] | None:
    """Return host and port of ``HOST:PORT``, None for ``auto``; raises `ValueError` for others."""
    if text == AUTO:
        return None
    found = _ADDRESS.fullmatch(text)
    if found is None or not 0 < int(found["port"]) < 1 << 16:
        raise ValueError(f"ray: expected auto or HOST:PORT of the cluster's head, got {text!r}")
    return found["host"].strip("[]"), int(found["port"])


def require_listener(text: str) -> None:
    """Raise `BackendError` if nobody listens at an address."""
    place = split_address(text)
    if place is None:
        return
    try:
        socket.create_connection(place, timeout=_ANSWER_S).close()
    except OSError as error:
        raise BackendError(
            f"Ray cannot be used at {text}: {error.strerror or error}; is it the address that"
            " `ray start --head` printed, and can this machine reach it?"
        ) from None
