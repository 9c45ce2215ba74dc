"""Sends one HTTP request with httpx2 and reads the whole reply, within a time and a size limit.

The time limit is around everything, because the library's own are per read: a server may send a
byte now and then for ever. Content is counted as it is decompressed, in pieces of 1 MiB.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.server.endpoint import Endpoint, hide_password
from harness.server.errors import (
    BrokenConnectionError,
    CertificateError,
    MalformedReplyError,
    RedirectError,
    ServerError,
    SizeLimitError,
    TimeLimitError,
    UnreachableServerError,
)

if TYPE_CHECKING:
    import httpx2

CONNECT_S = 30.0
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP reply, decompressed."""

    status: int
    headers: Mapping[str, str]
    """Names in small letters."""
    body: bytes


async def exchange(
    endpoint: Endpoint, path: str, body: bytes | None, deadline: float, max_bytes: int
) -> Reply:
    """Send a request (POST with a body, GET without) and return the reply, whatever its status.

    Args:
        endpoint: The server.
        path: Added to its address, such as ``/models``.
        body: JSON.
        deadline: Value of `time.monotonic` at which the request has failed.
        max_bytes: Most bytes of a reply, decompressed.

    Raises:
        ServerError: There is no complete reply. Redirects within the origin are followed.
        UsageError: The environment names a proxy that is none.
    """
    import asyncio

    import httpx2

    try:
        async with asyncio.timeout_at(deadline), _open_client(endpoint) as client:
            method = "GET" if body is None else "POST"
            request = client.build_request(method, f"{endpoint.url}{path}", content=body)
            for _ in range(_MOST_REDIRECTS):
                response = await client.send(request, stream=True)
                try:
                    if response.status_code not in _REDIRECTS:
                        content = await _read_content(response, max_bytes)
                        return Reply(response.status_code, dict(response.headers), content)
                    request = _redirected(response)
                finally:
                    await response.aclose()
    except TimeoutError:
        raise TimeLimitError("no complete reply within the time limit") from None
    except httpx2.HTTPError as error:
        raise _describe_failure(error) from None
    except ValueError:  # the library on some addresses of a redirect
        raise RedirectError("the server redirects to an address that is none") from None
    raise RedirectError(f"the server redirects more than {_MOST_REDIRECTS} times")


def _open_client(endpoint: Endpoint) -> httpx2.AsyncClient:
    """Return a client for one exchange; proxies are those of the environment."""
    import httpx2

    host = httpx2.URL(endpoint.url).host
    local = host in ("localhost", "::1") or host.startswith("127.")
    try:
        return httpx2.AsyncClient(
            headers={
                "Authorization": endpoint.authorization,
                "Accept": "application/json",
                "Accept-Encoding": "identity",  # a cut reply is noticed without compression only
                "Content-Type": "application/json",
                "User-Agent": "videor1",
            },
            mounts={f"all://{endpoint.netloc}": None} if local else None,  # no proxy
            timeout=httpx2.Timeout(None, connect=CONNECT_S),
            verify=_tls(),
        )
    except (ValueError, ImportError, httpx2.InvalidURL) as error:
        raise UsageError(
            "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY: expected an address such as http://proxy:3128;"
            f" {hide_password(str(error))}"
        ) from None


@cache
def _tls() -> ssl.SSLContext:
    """Return the TLS settings, which take longer to make than a request to send."""
    import httpx2

    return httpx2.create_ssl_context()


async def _read_content(response: httpx2.Response, max_bytes: int) -> bytes:
    content = bytearray()
    async for piece in response.aiter_bytes():
        content += piece
        if len(content) > max_bytes:
            raise SizeLimitError(f"the reply is larger than {max_bytes >> 20} MiB")
    return bytes(content)


def _redirected(response: httpx2.Response) -> httpx2.Request:
    """Return the request that a redirect asks for, if it is the same one to the same origin."""
    asked, status, following = response.request, response.status_code, response.next_request
    if following is None:
        raise RedirectError(f"HTTP {status} without a usable address")
    url = following.url
    if url.origin != asked.url.origin:
        raise RedirectError(
            f"HTTP {status} to another server, {url.scheme}://{url.netloc.decode()}, which gets"
            " neither the key nor the question; name that server's address if it is the right one"
        )
    if following.method != asked.method:
        raise RedirectError(f"HTTP {status} to {url.raw_path.decode()}; check the address")
    return following


def _describe_failure(error: httpx2.HTTPError) -> ServerError:
    """Return the `ServerError` for an error of httpx2, with the message of its first cause."""
    import httpx2

    cause: BaseException = error
    while inner := cause.__cause__ or cause.__context__ or getattr(cause, "exceptions", [None])[0]:
        cause = inner
    number = cause.errno or 0 if isinstance(cause, OSError) else 0
    reason = os.strerror(number) if number > 0 else str(cause) or type(cause).__name__
    if isinstance(cause, ssl.SSLError):
        return CertificateError(f"no TLS connection: {cause}")
    if isinstance(error, httpx2.ConnectError | httpx2.ProxyError | httpx2.ConnectTimeout):
        return UnreachableServerError(f"no connection: {reason}")
    if isinstance(error, httpx2.NetworkError):
        return BrokenConnectionError(f"the connection broke: {reason}")
    if "disconnected" in reason or "closed connection" in reason:
        return BrokenConnectionError("the connection ended before the reply was complete")
    return MalformedReplyError(f"no HTTP reply: {reason}")
