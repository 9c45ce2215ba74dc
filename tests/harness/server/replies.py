"""Replies of servers, each with what has to become of it."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

from tests.harness.server.raw_server import http

OK = "<answer>10</answer>"


def body(content: Any = OK, finish: Any = "stop", usage: Any = None, **message: Any) -> dict:
    """Return a chat completion."""
    usage = {"prompt_tokens": 5, "completion_tokens": 3} if usage is None else usage
    message = {"role": "assistant", "content": content, **message}
    choice = {"index": 0, "finish_reason": finish, "message": message}
    return {"id": "x", "object": "chat.completion", "choices": [choice], "usage": usage}


def replies() -> Iterator[tuple[str, list[bytes | float], str]]:
    """Yield a name, what is sent, and ``text X``, ``refused`` or the name of a failure."""
    for name, content, expected in (*_texts(), *_shapes(), *_ends(), *_usages(), *_errors()):
        yield name, [http(content)], expected
    yield from _statuses()
    yield from _transports()


def _texts():
    part = {"type": "text", "text": OK}
    yield "plain", body(), f"text {OK}"
    yield "empty text", body(""), "text "
    yield "spaces", body("  \n "), "text   \n "
    yield "half a pair", body(f"{OK} \ud83d"), f"text {OK} \ufffd"
    yield "the other half", body(f"\udc00{OK}"), f"text \ufffd{OK}"
    yield "halves in the wrong order", body("\ude00\ud83d"), "text \ufffd\ufffd"
    yield "whole pair", body("\U0001f600"), "text \U0001f600"
    yield "NUL", body(f"\0{OK}"), f"text \0{OK}"
    yield "escapes", body("\x1b[31m\x9b\u202e"), "text \x1b[31m\x9b\u202e"
    yield "noncharacter", body("\uffff\ufdd0"), "text \uffff\ufdd0"
    yield "line breaks in JSON", json.dumps(body("a@b")).replace("@", "\n").encode(), "text a\nb"
    yield "long", body("x" * 2_000_000), "text " + "x" * 2_000_000
    yield "parts", body([part]), f"text {OK}"
    yield "two parts", body([part, {"type": "output_text", "text": "!"}]), f"text {OK}!"
    yield "parts of strings", body(["a", "b"]), "text ab"
    yield "a part alone", body(part), f"text {OK}"
    yield "part without type", body([{"text": "a"}]), "text a"
    yield "part with a value", body([{"type": "text", "text": {"value": "a"}}]), "text a"
    yield "no parts", body([]), "text "
    yield "thinking part", body([{"type": "thinking", "thinking": [part]}, part]), f"text {OK}"
    yield "picture part", body([{"type": "image_url", "image_url": {}}]), "MalformedReplyError"
    yield "part with a number", body([{"type": "text", "text": 3}]), "MalformedReplyError"
    yield "a list in a list", body([[part]]), "MalformedReplyError"
    yield "number", body(7), "MalformedReplyError"
    yield "true", body(True), "MalformedReplyError"
    yield "object", body({}), "MalformedReplyError"
    yield "null", body(None), "EmptyReplyError"
    yield "reasoning alone", body(None, reasoning_content="so 10"), "text "
    yield "empty beside reasoning", body("", reasoning="so 10"), "text "
    yield "odd reasoning", body(OK, reasoning=3, reasoning_details={"a": 1}), f"text {OK}"
    yield "null at the limit", body(None, "length"), "text "


def _shapes():
    one = body()["choices"][0]
    for name, content in {
        "{}": {}, "[]": [], "null body": None, "number body": 3, "text body": "ok",
        "true body": True, "choices null": {"choices": None},
        "choices text": {"choices": "x"},
        "choices object": {"choices": {"0": one}}, "no choice": {"choices": []},
        "two choices": {"choices": [one, one]}, "choice null": {"choices": [None]},
        "choice list": {"choices": [[one]]}, "choice empty": {"choices": [{}]},
        "message null": {"choices": [{"message": None, "finish_reason": "stop"}]},
        "message text": {"choices": [{"message": "hi", "finish_reason": "stop"}]},
        "message list": {"choices": [{"message": [1], "finish_reason": "stop"}]},
        "old completions": {"choices": [{"text": "hi", "finish_reason": "stop"}]},
        "delta": {"choices": [{"delta": {"content": "hi"}, "finish_reason": "stop"}]},
    }.items():  # fmt: skip
        yield name, content, "MalformedReplyError"
    yield (
        "message empty",
        {"choices": [{"message": {}, "finish_reason": "stop"}]},
        "EmptyReplyError",
    )
    for name, content in {
        "page": b"<html><title>Log in</title></html>", "nothing": b"", "blank": b" \n",
        "cut": json.dumps(body()).encode()[:60], "stream": b"data: {}\n\ndata: [DONE]\n",
        "deep list": b"[" * 200_000, "deep object": b'{"a":' * 100_000,
        "long integer": b'{"choices": ' + b"9" * 6_000 + b"}", "NaN": b"NaN",
        "bytes": bytes(range(256)), "UTF-16": json.dumps(body()).encode("utf-16"),
        "two objects": json.dumps(body()).encode() * 2, "XML": b"<?xml version='1.0'?><a/>",
    }.items():  # fmt: skip
        yield name, content, "MalformedReplyError"
    yield "BOM", b"\xef\xbb\xbf" + json.dumps(body("a")).encode(), "text a"
    yield "Latin-1", json.dumps(body("a@")).encode().replace(b"@", b"\xe9"), "text a\ufffd"
    yield "doubled key", json.dumps(body("a")).encode()[:-1] + b', "id": 3}', "text a"


def _ends():
    for reason in ("eos_token", "end_turn", "STOP", "stop_sequence"):
        yield f"ends with {reason}", body(OK, reason), f"text {OK}"
    for reason in ("length", "max_tokens", "MAX_TOKENS"):
        yield f"ends with {reason}", body(OK, reason), f"text {OK}"
    for reason in (None, "", 3, ["stop"], {"a": 1}, "abort", "error", "tool_calls", "no such"):
        yield f"ends with {reason!r}", body(OK, reason), "MalformedReplyError"
    call = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    yield "tool call", body(None, "tool_calls", tool_calls=call), "MalformedReplyError"
    yield "filtered", body("", "content_filter"), "refused"
    yield "filtered null", body(None, "content_filter"), "refused"
    yield "filtered half-way", body("I will", "content_filter"), "refused"
    yield "safety", body(None, "SAFETY"), "refused"
    yield "refusal", body(None, refusal="I cannot"), "refused"
    yield "refusal part", body([{"type": "refusal", "refusal": "no"}]), "refused"
    yield "refusal null", body(OK, refusal=None), f"text {OK}"
    yield "refusal of another type", body(OK, refusal={"a": 1}), f"text {OK}"


def _usages():
    for usage in (
        0, "5", [], [1], {"prompt_tokens": None}, {"prompt_tokens": "5"}, {"prompt_tokens": 1e400},
        {"prompt_tokens": -1, "completion_tokens": True}, {"completion_tokens": 10**300},
        {"prompt_tokens": [5]}, {"completion_tokens": 2**63}, {"prompt_tokens": 7.5},
    ):  # fmt: skip
        yield f"usage {usage!r:.60}", body(usage=usage), f"text {OK}"
    for ids in ("x", [1, "2"], [None], {"0": 1}, [True]):
        content = body()
        content["choices"][0]["token_ids"] = ids
        yield f"token ids {ids!r}", content, f"text {OK}"


def _errors():
    limited = {"message": "Provider returned error", "code": 429}
    yield "rate limit in 200", {"choices": None, "error": limited}, "RateLimitError"
    yield "rate limit as text", {"error": {"message": "no", "code": "429"}}, "RateLimitError"
    yield "rate limit in words", {"error": "Too Many Requests"}, "RateLimitError"
    yield "rate limit by type", {"error": {"type": "rate_limit_error"}}, "RateLimitError"
    yield "rate limit of the choice", {"choices": [{"error": limited}]}, "RateLimitError"
    yield "fault in 200", {"error": {"message": "x", "code": 503}}, "ServerFaultError"
    yield "key in 200", {"error": {"message": "no", "code": 401}}, "KeyRefusedError"
    yield "error beside a text", body() | {"error": {"message": "cut"}}, "BadRequestError"
    yield "error list", {"error": [{"a": 1}]}, "BadRequestError"
    yield "error object", {"object": "error", "message": "m", "code": 400}, "BadRequestError"
    yield "detail", {"message": "no such route"}, "BadRequestError"
    yield "error of zeros", body() | {"error": {"code": 0, "message": ""}}, f"text {OK}"
    yield "error null", body() | {"error": None}, f"text {OK}"
    yield "filter in 200", {"error": {"code": "content_filter", "message": "no"}}, "refused"
    nested: Any = "deep"
    for _ in range(300):
        nested = {"error": nested}
    yield "nested error", nested, "BadRequestError"


def _statuses():
    words = {"error": {"message": "words"}}
    for status, expected in {
        400: "BadRequestError", 401: "KeyRefusedError", 403: "AccessRefusedError",
        404: "NotFoundError", 408: "ServerFaultError", 413: "BadRequestError",
        418: "BadRequestError", 422: "BadRequestError", 429: "RateLimitError",
        500: "ServerFaultError", 502: "ServerFaultError", 503: "ServerFaultError",
        529: "ServerFaultError", 599: "ServerFaultError",
    }.items():  # fmt: skip
        yield f"HTTP {status}", [http(words, status)], expected
    yield "HTTP 201", [http(body(), 201)], f"text {OK}"
    yield "HTTP 204", [b"HTTP/1.1 204 No Content\r\n\r\n"], "MalformedReplyError"
    yield "HTTP 304", [b"HTTP/1.1 304 Not Modified\r\n\r\n"], "BadRequestError"
    yield "HTTP 502 as a page", [http(b"<h1>Bad Gateway</h1>", 502)], "ServerFaultError"
    yield "HTTP 500 empty", [http(b"", 500)], "ServerFaultError"
    yield "HTTP 400 of numbers", [http([1, 2], 400)], "BadRequestError"
    yield "HTTP 422 of FastAPI", [http({"detail": [{"msg": "x"}]}, 422)], "BadRequestError"
    azure = {"error": {"code": "content_filter", "message": "filtered", "status": 400}}
    yield "filtered question", [http(azure, 400)], "refused"
    flagged = {"code": 403, "message": "flagged", "metadata": {"flagged_input": "x"}}
    yield "flagged question", [http({"error": flagged}, 403)], "refused"
    for status in (301, 302, 303, 307, 308):
        other = "Location: http://localhost:9/v1"
        yield f"HTTP {status} elsewhere", [http(b"", status, other)], "RedirectError"
    yield "HTTP 302 without address", [http(b"", 302)], "RedirectError"
    yield "HTTP 307 to a file", [http(b"", 307, "Location: file:///etc/x")], "RedirectError"
    yield "HTTP 307 in a circle", [http(b"", 307, "Location: /v1/x")], "RedirectError"
    for odd in ("http://[::", "data://%zz", ":mailto:", "//u:p@", "http://h:99999", "/%00"):
        yield f"HTTP 307 to {odd}", [http(b"", 307, f"Location: {odd}")], "RedirectError"


_BROTLI = bytes.fromhex("8b 05 80") + b'{"choices": []}' + b"\x03"


def _transports():
    good = json.dumps(body()).encode()
    packed = gzip.compress(good)
    bomb = gzip.compress(bytes(200 << 20), 9)
    chunked = b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n"
    hexed = b"%x\r\n%s\r\n" % (len(good), good)
    broken, late, large = "BrokenConnectionError", "TimeLimitError", "SizeLimitError"
    yield "gzip", [http(packed, 200, "Content-Encoding: gzip")], f"text {OK}"
    yield "deflate", [http(zlib.compress(good), 200, "Content-Encoding: deflate")], f"text {OK}"
    yield (
        "raw deflate",
        [http(zlib.compress(good)[2:-4], 200, "Content-Encoding: deflate")],
        f"text {OK}",
    )
    yield "gzip without its sum", [http(packed[:-8], 200, "Content-Encoding: gzip")], f"text {OK}"
    cut = [http(packed[:-20], 200, "Content-Encoding: gzip")]
    yield "gzip cut, of its stated length", cut, "MalformedReplyError"
    yield "gzip cut", [http(packed[:-9], 200, "Content-Encoding: gzip", length=len(packed))], broken
    yield "gzip that is none", [http(good, 200, "Content-Encoding: gzip")], "MalformedReplyError"
    yield "gzip bomb", [http(bomb, 200, "Content-Encoding: gzip")], large
    yield "gzip bomb of an error", [http(bomb, 500, "Content-Encoding: gzip")], large
    twice = gzip.compress(bomb)
    yield "gzip twice", [http(twice, 200, "Content-Encoding: gzip, gzip")], large
    yield "brotli", [http(_BROTLI, 200, "Content-Encoding: br")], "MalformedReplyError"
    yield "called brotli", [http(good, 200, "Content-Encoding: br")], f"text {OK}"
    yield "too large", [http(b"x" * (9 << 20))], large
    yield "too large by its header", [http(good, length=1 << 40)], broken
    yield "without end", [b"HTTP/1.1 200 X\r\n\r\n", *[b"x" * 65536] * 200], large
    yield "chunks", [chunked + hexed + b"0\r\n\r\n"], f"text {OK}"
    yield "chunks cut", [chunked + hexed[:30]], broken
    yield "chunks without end", [chunked + hexed], broken
    yield "chunk of no size", [chunked + b"zz\r\nxx\r\n"], "MalformedReplyError"
    yield "until the end", [b"HTTP/1.0 200 X\r\n\r\n" + good], f"text {OK}"
    yield (
        "length of no number",
        [b"HTTP/1.1 200 X\r\nContent-Length: x\r\n\r\n" + good],
        "MalformedReplyError",
    )
    yield "cut short", [http(good[:80], length=400)], broken
    yield "no word", [], broken
    yield "half a head", [b"HTTP/1.1 200 X\r\nA: b"], broken
    yield "not HTTP", [b"SSH-2.0-OpenSSH\r\n\r\n"], "MalformedReplyError"
    yield "not HTTP, and it ends", [b"SSH-2.0-OpenSSH\r\n"], broken
    yield "status of no number", [b"HTTP/1.1 abc X\r\n\r\n"], "MalformedReplyError"
    yield (
        "too many headers",
        [b"HTTP/1.1 200 X\r\n" + b"A: b\r\n" * 500 + b"\r\n"],
        "MalformedReplyError",
    )
    yield "endless header", [b"HTTP/1.1 200 X\r\nA: " + b"b" * 200_000], "MalformedReplyError"
    yield "silence", [30.0], late
    yield "dripping head", [b"H", *_drip(b"TTP/1.1 200 X\r\n" + b"A: b\r\n" * 50)], late
    yield (
        "dripping body",
        [b"HTTP/1.1 200 X\r\nContent-Length: 900\r\n\r\n", *_drip(b" " * 500)],
        late,
    )
    last = b"HTTP/1.1 200 X\r\nConnection: close\r\n\r\n"
    yield "dripping last reply", [last, *_drip(b" " * 500)], late
    yield "dripping chunks", [chunked, *_drip(b"1\r\nx\r\n" * 90)], late
    yield "HTTP 100 for ever", [*_drip(b"HTTP/1.1 100 C\r\n\r\n" * 30)], late


def _drip(content: bytes) -> Iterator[bytes | float]:
    for byte in content:
        yield bytes([byte])
        yield 0.05
