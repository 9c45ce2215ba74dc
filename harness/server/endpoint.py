"""Reads a server's address and key, and keeps both secrets out of what is shown.

The key is sent to the origin (scheme, host, port) of the address alone.
"""

from __future__ import annotations

import base64
import os
import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from harness.errors import UsageError

KEY_VARIABLE = "OPENAI_API_KEY"
NO_KEY = "EMPTY"
"""Sent where no key is set; local servers accept any."""
HIDDEN = "***"
_SHORTEST_SECRET = 4
_USER = re.compile(r"(//)[^/?#\s]*@")
_PORTS = {"http": 80, "https": 443}

Origin = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of an OpenAI-compatible API, up to and with ``/v1``."""

    scheme: str
    host: str
    port: int
    path: str
    """Begins with a slash, or is empty."""
    authorization: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    has_key: bool
    """Whether the user set a key."""

    @property
    def origin(self) -> Origin:
        """Scheme, host and port."""
        return self.scheme, self.host, self.port

    @property
    def netloc(self) -> str:
        """``host`` or ``host:port``, without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The address without user and password."""
        return f"{self.scheme}://{self.netloc}{self.path}"

    def hide_secrets(self, text: str) -> str:
        """Replace the key and the password of the address in a text."""
        for secret in self.secrets:
            text = text.replace(secret, HIDDEN)
        return text


def read_endpoint(base_url: str) -> Endpoint:
    """Read an address; the key is that of the environment variable ``OPENAI_API_KEY``.

    A user and password in the address are sent as basic authorization where no key is set.

    Raises:
        UsageError: No address of a server, or an empty or unusable key.
    """
    scheme, host, port = read_origin(base_url)
    parts = urlsplit(base_url)
    key, password = _read_key(), unquote(parts.password or "")
    basic = base64.b64encode(f"{unquote(parts.username or '')}:{password}".encode()).decode()
    bearer = key is not None or parts.username is None
    secrets = {key or "", password, parts.password or "", basic if parts.username else ""}
    return Endpoint(
        scheme=scheme,
        host=host,
        port=port,
        path=parts.path.rstrip("/"),
        authorization=f"Bearer {key or NO_KEY}" if bearer else f"Basic {basic}",
        secrets=tuple(
            sorted((s for s in secrets if len(s) >= _SHORTEST_SECRET), key=len, reverse=True)
        ),
        has_key=key is not None,
    )


def read_origin(url: str) -> Origin:
    """Return scheme, host and port of an address; `UsageError` where it is none."""
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
        plain = url.isprintable() and url.isascii() and " " not in url
    except ValueError:
        scheme, host, port, plain = "", None, None, False
    if scheme not in _PORTS or not host or not plain:
        raise UsageError(
            f"{hide_password(url)!r} is no address of a server;"
            " expected one such as http://127.0.0.1:8000/v1"
        )
    return scheme, host, _PORTS[scheme] if port is None else port


def hide_password(text: str) -> str:
    """Return a text without the user and password of the addresses in it."""
    return _USER.sub(rf"\1{HIDDEN}@", text)


def _read_key() -> str | None:
    """Return the key, None where none is set; raise `UsageError` where it cannot be one."""
    key = os.environ.get(KEY_VARIABLE)
    if key is None:
        return None
    key = key.strip()
    if not key:
        raise UsageError(
            f"{KEY_VARIABLE} is set but empty; set it to the server's key, or unset it"
            " for a server that needs none"
        )
    if not (key.isascii() and key.isprintable()):
        raise UsageError(
            f"{KEY_VARIABLE} holds characters that no key can have (a line break, a quotation mark"
            " of a text editor?); set it again"
        )
    return key
