"""Defines how a request to a server can fail; the class name is what a record shows."""

from __future__ import annotations

from typing import ClassVar

from harness.errors import BackendError


class ServerError(BackendError):
    """Base of the failures of a request to a server."""

    retry: ClassVar[bool] = False
    """Whether the same request may succeed a little later."""
    retry_after_s: float | None = None
    """Seconds that the server asked to wait."""


class UnreachableServerError(ServerError):
    """No connection: refused, an unknown host, no route."""

    retry = True


class CertificateError(ServerError):
    """The TLS handshake failed, which no further attempt would change."""


class BrokenConnectionError(ServerError):
    """The connection ended before the reply was complete."""

    retry = True


class TimeLimitError(ServerError):
    """The reply was not complete within the time limit."""


class SizeLimitError(ServerError):
    """The reply is larger than any completion."""


class RedirectError(ServerError):
    """The server points elsewhere, and the request may not go there."""


class KeyRefusedError(ServerError):
    """The server refuses the key (401)."""


class AccessRefusedError(ServerError):
    """The server refuses access (403)."""


class NotFoundError(ServerError):
    """The server does not know the address or the model (404)."""


class BadRequestError(ServerError):
    """The server refuses this request (other 4xx)."""


class RateLimitError(ServerError):
    """The server is asked too often (429)."""

    retry = True


class ServerFaultError(ServerError):
    """The server failed (5xx)."""

    retry = True


class MalformedReplyError(ServerError):
    """The reply is no chat completion."""


class EmptyReplyError(ServerError):
    """The completion holds neither text nor reasoning nor a refusal."""


def error_of_status(status: int, message: str) -> ServerError:
    """Return the error for an HTTP status, or for the same number as a code inside a reply."""
    known: dict[int, type[ServerError]] = {
        401: KeyRefusedError,
        403: AccessRefusedError,
        404: NotFoundError,
        408: ServerFaultError,
        425: ServerFaultError,
        429: RateLimitError,
    }
    fallback = ServerFaultError if status >= 500 else BadRequestError
    return known.get(status, fallback)(message)
