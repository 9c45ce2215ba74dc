"""Decompresses the content of a reply, up to a size limit."""

from __future__ import annotations

import zlib

from harness.server.errors import BrokenConnectionError, MalformedReplyError, SizeLimitError

_PLAIN = ("", "identity")
_WBITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_RAW = -15
"""Deflate without the header that the standard asks for; some servers leave it out."""


def decode_content(content: bytes, encoding: str, max_bytes: int) -> bytes:
    """Return the content of a reply without its compression.

    Raises:
        SizeLimitError: It would be larger than `max_bytes`.
        MalformedReplyError: An unknown compression, or damaged content.
        BrokenConnectionError: The compressed content ends early.
    """
    name = encoding.strip().lower()
    if name in _PLAIN or not content:
        return content
    if name not in _WBITS:
        raise MalformedReplyError(f"the reply is compressed with {encoding!r:.80}, not asked for")
    try:
        return _inflate(content, _WBITS[name], max_bytes)
    except zlib.error as error:
        if name == "deflate":
            try:
                return _inflate(content, _RAW, max_bytes)
            except zlib.error:
                pass
        raise MalformedReplyError(f"the reply is no valid {name}: {error}") from None


def _inflate(content: bytes, wbits: int, max_bytes: int) -> bytes:
    decoder = zlib.decompressobj(wbits)
    plain = decoder.decompress(content, max_bytes + 1)
    if len(plain) > max_bytes:
        raise SizeLimitError(f"the reply is larger than {max_bytes >> 20} MiB once decompressed")
    if not decoder.eof:
        raise BrokenConnectionError("the compressed reply ends early")
    return plain
