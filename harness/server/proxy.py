"""Finds the proxy that the environment names for a server (``HTTPS_PROXY``, ``NO_PROXY``)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from harness.errors import UsageError
from harness.server.endpoint import Endpoint, hide_password


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy."""

    host: str
    port: int
    headers: Mapping[str, str] = field(repr=False)
    """Its own authorization, where the address holds a user."""


def find_proxy(endpoint: Endpoint) -> Proxy | None:
    """Return the proxy for a server, None where it is asked directly.

    Raises:
        UsageError: The environment names something that is no HTTP proxy.
    """
    address = getproxies().get(endpoint.scheme)
    local = endpoint.host in ("localhost", "::1") or endpoint.host.startswith("127.")
    if not address or local or proxy_bypass(endpoint.host):
        return None
    try:
        parts = urlsplit(address if "//" in address else f"//{address}", scheme="http")
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        host, port, parts = None, 0, urlsplit("")
    if not host or parts.scheme != "http":
        raise UsageError(
            f"{endpoint.scheme.upper()}_PROXY: expected an address such as http://proxy:3128,"
            f" got {hide_password(address)!r}"
        )
    headers = {}
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
    return Proxy(host, port, headers)
