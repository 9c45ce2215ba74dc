"""Sends one HTTP request and reads the whole reply, within a time and a size limit.

The limits hold whatever a server does: bytes that drip in, headers without end, compressed
content that grows a thousandfold. A timer closes the connection at the deadline.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from urllib.parse import urljoin, urlsplit

from harness.errors import UsageError
from harness.server.decoding import decode_content
from harness.server.endpoint import Endpoint, read_origin
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
from harness.server.proxy import Proxy, find_proxy

CONNECT_S = 30.0
_BLOCK = 1 << 16
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEPS_BODY = frozenset({307, 308})


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP reply, decompressed."""

    status: int
    headers: Mapping[str, str]
    """Names in small letters."""
    body: bytes


def exchange(
    endpoint: Endpoint, path: str, body: bytes | None, *, deadline: float, max_bytes: int
) -> Reply:
    """Send a request (POST with a body, GET without) and return the reply, whatever its status.

    Args:
        endpoint: The server.
        path: Added to its address, such as ``/models``.
        body: JSON.
        deadline: Value of `time.monotonic` at which the request has failed.
        max_bytes: Most bytes of a reply, compressed or not.

    Raises:
        ServerError: There is no complete reply. Redirects within the origin are followed.
    """
    target = f"{endpoint.path}{path}"
    for _ in range(_MOST_REDIRECTS):
        reply = _exchange_once(endpoint, target, body, deadline, max_bytes)
        if reply.status not in _REDIRECTS:
            return reply
        target = _redirected(endpoint, target, reply, with_body=body is not None)
    raise RedirectError(f"the server redirects more than {_MOST_REDIRECTS} times")


def _redirected(endpoint: Endpoint, target: str, reply: Reply, *, with_body: bool) -> str:
    """Return the path that a redirect names, if it is on the same origin."""
    location = reply.headers.get("location", "")
    try:
        url = urljoin(f"{endpoint.scheme}://{endpoint.netloc}{target}", location)
        origin = read_origin(url)
    except (ValueError, UsageError):
        raise RedirectError(f"HTTP {reply.status} without a usable address") from None
    scheme, host, port = origin
    if origin != endpoint.origin:
        raise RedirectError(
            f"HTTP {reply.status} to another server, {scheme}://{host}:{port}, which gets neither"
            " the key nor the question; name that server's address if it is the right one"
        )
    if not location or (with_body and reply.status not in _KEEPS_BODY):
        raise RedirectError(f"HTTP {reply.status} to {urlsplit(url).path}; check the address")
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _exchange_once(
    endpoint: Endpoint, target: str, body: bytes | None, deadline: float, max_bytes: int
) -> Reply:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeLimitError("no complete reply within the time limit")
    proxy = find_proxy(endpoint)
    connection = _open_connection(endpoint, proxy, min(remaining, CONNECT_S))
    headers = {
        "Host": endpoint.netloc,
        "Authorization": endpoint.authorization,
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "videor1",
        "Connection": "close",
        **({} if body is None else {"Content-Type": "application/json"}),
    }
    if proxy and endpoint.scheme == "http":
        headers |= proxy.headers
        target = f"http://{endpoint.netloc}{target}"
    late = threading.Event()
    try:
        with _closed_at(connection, deadline, late):
            _connect(connection, endpoint)
        # The connection forgets its socket once a reply says that it will be the last.
        with _closed_at(connection.sock, deadline, late):
            reply = _send_and_read(connection, target, body, headers, deadline, max_bytes)
        if late.is_set():  # what was cut off can look like a short reply
            raise TimeLimitError("no complete reply within the time limit")
        return reply
    except ServerError:
        if late.is_set():
            raise TimeLimitError("no complete reply within the time limit") from None
        raise
    finally:
        connection.close()


def _open_connection(
    endpoint: Endpoint, proxy: Proxy | None, timeout_s: float
) -> http.client.HTTPConnection:
    """Return a connection that is not connected yet."""
    host, port = (endpoint.host, endpoint.port) if proxy is None else (proxy.host, proxy.port)
    if endpoint.scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=timeout_s)
    connection = http.client.HTTPSConnection(host, port, timeout=timeout_s, context=_tls())
    if proxy is not None:
        connection.set_tunnel(endpoint.host, endpoint.port, headers=dict(proxy.headers))
    return connection


@cache
def _tls() -> ssl.SSLContext:
    """Trust the system's certificates, and certifi's where it is installed."""
    context = ssl.create_default_context()
    if find_spec("certifi") is not None:
        context.load_verify_locations(import_module("certifi").where())
    return context


@contextmanager
def _closed_at(
    held: http.client.HTTPConnection | socket.socket, deadline: float, late: threading.Event
) -> Iterator[None]:
    """Shut a connection or its socket down at the deadline, which ends a read that waits."""

    def shut() -> None:
        late.set()
        with suppress(OSError, AttributeError, TypeError):
            # Not the TLS object's method, which would change it while another thread reads.
            found = held if isinstance(held, socket.socket) else held.sock
            socket.socket.shutdown(found, socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, deadline - time.monotonic()), shut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _connect(connection: http.client.HTTPConnection, endpoint: Endpoint) -> None:
    try:
        connection.connect()
    except ssl.SSLError as error:
        raise CertificateError(f"no TLS connection: {error}") from None
    except TimeoutError:
        raise UnreachableServerError("no connection in time") from None
    except (OSError, UnicodeError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnreachableServerError(f"no connection: {reason}") from None


def _send_and_read(
    connection: http.client.HTTPConnection,
    target: str,
    body: bytes | None,
    headers: Mapping[str, str],
    deadline: float,
    max_bytes: int,
) -> Reply:
    connection.sock.settimeout(max(0.01, deadline - time.monotonic()))
    try:
        # A server that refuses a large body may answer and close before all of it is sent.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request("GET" if body is None else "POST", target, body, dict(headers))
        with closing(_get_response(connection)) as response:
            return _read_reply(response, max_bytes)
    except TimeoutError:
        raise TimeLimitError("no complete reply within the time limit") from None
    except http.client.InvalidURL:
        raise MalformedReplyError(f"the path {target!r:.200} cannot be asked for") from None
    except (http.client.RemoteDisconnected, http.client.IncompleteRead):
        raise BrokenConnectionError("the connection ended before the reply was complete") from None
    except http.client.HTTPException as error:
        raise MalformedReplyError(f"no HTTP reply: {error!r:.200}") from None
    except (OSError, ValueError) as error:  # ValueError: the timer closed a TLS connection
        reason = getattr(error, "strerror", None) or error
        raise BrokenConnectionError(f"the connection broke: {reason}") from None


def _get_response(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
    try:
        return connection.getresponse()
    except http.client.ResponseNotReady:  # sending broke off
        raise http.client.RemoteDisconnected("sending broke off") from None


def _read_reply(response: http.client.HTTPResponse, max_bytes: int) -> Reply:
    blocks, size, length = [], 0, response.length
    while block := response.read1(_BLOCK):
        blocks.append(block)
        size += len(block)
        if size > max_bytes:
            raise SizeLimitError(f"the reply is larger than {max_bytes >> 20} MiB")
    # Without a length, a connection that ends among the headers looks like an empty reply.
    if response.length or (response.status == 200 and length is None and not blocks):
        raise http.client.IncompleteRead(b"", response.length)
    headers = {name.lower(): value for name, value in response.getheaders()}
    content = decode_content(b"".join(blocks), headers.get("content-encoding", ""), max_bytes)
    return Reply(response.status, headers, content)
