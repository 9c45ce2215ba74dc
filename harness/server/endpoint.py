"""Reads a server's address and key, and keeps both secrets out of what is shown.

The key is sent to the origin (scheme, host, port) of the address alone.
"""

from __future__ import annotations

import base64
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.errors import UsageError

if TYPE_CHECKING:
    import httpx2

KEY_VARIABLE = "OPENAI_API_KEY"
NO_KEY = "EMPTY"
"""Sent where no key is set; local servers accept any."""
HIDDEN = "***"
_SHORTEST_SECRET = 4
_USER = re.compile(r"(//)[^/?#\s]*@")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of an OpenAI-compatible API, up to and with ``/v1``."""

    url: str
    """Without user and password, without a slash at its end."""
    netloc: str
    """``host`` or ``host:port``; a port that the scheme implies is left out."""
    authorization: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    has_key: bool
    """Whether the user set a key."""

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
    url = _parse_url(base_url)
    key, (user, _, quoted) = _read_key(), url.userinfo.decode().partition(":")
    basic = base64.b64encode(f"{url.username}:{url.password}".encode()).decode()
    secrets = {key or "", url.password, quoted, basic if user else ""}
    return Endpoint(
        url=str(url.copy_with(userinfo=b"", query=None, fragment=None)).rstrip("/"),
        netloc=url.netloc.decode(),
        authorization=f"Bearer {key or NO_KEY}" if key or not user else f"Basic {basic}",
        secrets=tuple(
            sorted((s for s in secrets if len(s) >= _SHORTEST_SECRET), key=len, reverse=True)
        ),
        has_key=key is not None,
    )


def _parse_url(text: str) -> httpx2.URL:
    import httpx2

    try:
        url = httpx2.URL(text)
        plain = text.isprintable() and text.isascii() and " " not in text
        if plain and url.scheme in ("http", "https") and url.host and (url.port or 0) < 1 << 16:
            return url
    except httpx2.InvalidURL:
        pass
    raise UsageError(
        f"{hide_password(text)!r} is no address of a server;"
        " expected one such as http://127.0.0.1:8000/v1"
    )


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
