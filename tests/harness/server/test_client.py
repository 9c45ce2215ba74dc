"""Asking a server: attempts, waits, limits, and what becomes of the key."""

import asyncio
import gzip
import json
import os
import signal
import threading
import time
from email.utils import formatdate

import pytest

from harness.errors import CheckpointError, UsageError
from harness.models.server import served
from harness.server.client import Limits, ServerClient
from harness.server.endpoint import hide_password, read_endpoint
from harness.server.errors import (
    BrokenConnectionError,
    KeyRefusedError,
    RedirectError,
    ServerFaultError,
    TimeLimitError,
    UnreachableServerError,
)
from tests.harness.server.raw_server import http, once, serving
from tests.harness.server.replies import OK, body

KEY = "sk-0123456789"
FAST = Limits(timeout_s=10, max_retries=1)


def in_turn(*replies):
    """Send one reply after the other."""
    left = iter(replies)
    return lambda request: iter([next(left)])


def complete(url, limits=FAST):
    return ServerClient(read_endpoint(url), limits).complete({"model": "m"})


@pytest.fixture
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return KEY


@pytest.mark.parametrize(
    "first",
    [
        http({"error": "x"}, 429, "Retry-After: 0"),
        http({"error": "x"}, 503),
        http({"error": {"message": "x", "code": 429}}),
        http(b"{", length=100),
        b"",
    ],
)
def test_what_may_pass_is_tried_again(first):
    """Rate limits, also inside a 200, faults, and connections that break."""
    with serving(in_turn(first, http(body()))) as server:
        assert complete(server.url).text == OK
        assert len(server.requests) == 2


@pytest.mark.parametrize("status", [400, 403, 404, 413, 422])
def test_what_stays_is_not_tried_again(status):
    """The request is at fault."""
    with serving(once(http({"error": "x"}, status))) as server:
        with pytest.raises(Exception, match=f"HTTP {status}: x"):
            complete(server.url)
        assert len(server.requests) == 1


def test_attempts_are_counted_in_the_message():
    """So that a reader knows that waiting did not help."""
    with (
        serving(once(http({"error": "x"}, 500))) as server,
        pytest.raises(ServerFaultError, match=r"x \(2 attempts\)"),
    ):
        complete(server.url)


@pytest.mark.parametrize("asked", ["1", "date"])
def test_the_server_says_how_long_to_wait(asked):
    """As seconds or as a date."""
    began = time.monotonic()
    asked = formatdate(time.time() + 2, usegmt=True) if asked == "date" else asked
    with serving(in_turn(http({}, 429, f"Retry-After: {asked}"), http(body()))) as server:
        assert complete(server.url).text == OK
    assert 0.8 < time.monotonic() - began < 5


@pytest.mark.parametrize("asked", ["-5", "nan", "inf", "soon", "1e999", "0x10"])
def test_an_odd_wait_is_the_usual_one(asked):
    """Half a second before the second attempt."""
    with serving(in_turn(http({}, 429, f"Retry-After: {asked}"), http(body()))) as server:
        assert complete(server.url).text == OK


def test_a_wait_beyond_the_time_limit_is_not_begun():
    """The failure is that of the server, not of the clock."""
    began = time.monotonic()
    with (
        serving(once(http({"error": "x"}, 503, "Retry-After: 50"))) as server,
        pytest.raises(ServerFaultError),
    ):
        complete(server.url, Limits(timeout_s=5, max_retries=5))
    assert time.monotonic() - began < 3


def test_one_time_limit_is_for_all_attempts():
    """A first attempt that breaks late leaves the rest of the time to the second."""
    began = time.monotonic()
    with (
        serving(once(0.5, b"HTTP/1.1 200 X\r\n")) as server,
        pytest.raises((TimeLimitError, BrokenConnectionError)),
    ):
        complete(server.url, Limits(timeout_s=2, max_retries=50))
    assert time.monotonic() - began < 3


def test_closing_ends_a_wait():
    """Nothing is asked after it."""
    with serving(once(http({"error": "x"}, 500, "Retry-After: 30"))) as server:
        client = ServerClient(read_endpoint(server.url), Limits(timeout_s=100, max_retries=5))
        threading.Timer(0.3, client.close).start()
        began = time.monotonic()
        with pytest.raises(ServerFaultError):
            client.complete({})
        assert time.monotonic() - began < 5


def test_no_connection_is_named():
    """With the reason of the operating system."""
    with pytest.raises(UnreachableServerError, match="Connection refused"):
        complete("http://127.0.0.1:9/v1", Limits(timeout_s=5, max_retries=0))


def test_a_name_that_is_no_host_is_named():
    """Labels of a host name have 63 characters at most."""
    with pytest.raises(UnreachableServerError, match="no connection"):
        complete(f"http://{'a' * 70}.invalid/v1", Limits(timeout_s=5, max_retries=0))


def test_a_proxy_of_the_environment_is_used(monkeypatch):
    """For other machines, with its own user; machines that it is not for are asked directly."""
    with serving(once(http(body()))) as proxy:
        address = proxy.url.removesuffix("/v1").replace("//", "//me:pw@")
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, address)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.setenv(name, "direct.invalid")
        assert complete("http://model.invalid/v1").text == OK
        head = proxy.requests[0].splitlines()
        assert head[0] == b"POST http://model.invalid/v1/chat/completions HTTP/1.1"
        assert b"Proxy-Authorization: Basic bWU6cHc=" in head
        with pytest.raises(UnreachableServerError):
            complete("http://direct.invalid/v1", Limits(timeout_s=5, max_retries=0))


@pytest.mark.parametrize("address", ["ftp://me:s3cret@p", "http://me:s3cret@p:x", "://"])
def test_what_is_no_proxy_is_a_usage_error(monkeypatch, address):
    """Its password is not shown."""
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, address)
    with pytest.raises(UsageError, match=r"_PROXY: expected an address such as") as caught:
        complete("http://model.invalid/v1")
    assert "s3cret" not in str(caught.value)


def test_this_machine_is_asked_without_proxy(monkeypatch):
    """Where no `NO_PROXY` says so either."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving(once(http(body()))) as server:
        assert complete(server.url).text == OK


def test_ctrl_c_ends_a_request_at_once():
    """It does not wait for the server."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with serving(once(30.0)) as server:
            began = time.monotonic()
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
            with pytest.raises(KeyboardInterrupt):
                complete(server.url)
            assert time.monotonic() - began < 3
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_server_is_asked_inside_an_event_loop():
    """As in a notebook, and by several threads at the same time."""

    async def ask_twice(url):
        client = ServerClient(read_endpoint(url), FAST)
        first = asyncio.to_thread(client.complete, {})
        return (await first).text, client.complete({}).text

    with serving(once(http(body()))) as server:
        assert asyncio.run(ask_twice(server.url)) == (OK, OK)


# --- the key


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_server_carries_nothing(key, status):
    """Neither key nor question, whether it is another port or another name of this machine."""
    with serving(once(http(body()))) as other:
        target = f"http://127.0.0.1:{other.port}/v1/chat/completions"
        with serving(once(http(b"", status, f"Location: {target}"))) as server:
            with pytest.raises(RedirectError, match="another server"):
                complete(server.url)
            with pytest.raises(CheckpointError, match="another server"):
                served(server.url)
        assert other.requests == []


def test_a_redirect_within_the_server_is_followed(key):
    """With method, body and key."""
    answers = in_turn(http(b"", 308, "Location: /v2/chat/completions"), http(body()))
    with serving(answers) as server:
        assert complete(server.url).text == OK
        assert server.requests[1].startswith(b"POST /v2/chat/completions ")
        assert KEY.encode() in server.requests[1]


def test_what_comes_with_a_redirect_is_not_read(key):
    """It may be of any size."""
    bomb = gzip.compress(bytes(50 << 20), 9)
    head = http(bomb, 307, "Location: /v2/chat/completions", "Content-Encoding: gzip")
    with serving(in_turn(head, http(body()))) as server:
        assert complete(server.url).text == OK


def test_a_refused_key_is_said_to_be_refused(key):
    """The message names the variable, and no part of the reply repeats the key."""
    words = {"error": {"message": f"Incorrect API key provided: {KEY}"}}
    with serving(once(http(words, 401))) as server:
        with pytest.raises(KeyRefusedError, match="OPENAI_API_KEY is not the right one") as caught:
            complete(server.url)
        assert KEY not in str(caught.value)
        with pytest.raises(CheckpointError, match="the key is refused") as caught:
            served(server.url)
        assert KEY not in str(caught.value)


def test_a_missing_key_is_said_to_be_missing(monkeypatch):
    """The server asks for one, and none is set."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with (
        serving(once(http({}, 401))) as server,
        pytest.raises(CheckpointError, match="OPENAI_API_KEY is not set"),
    ):
        served(server.url)


def test_a_server_that_repeats_the_key_gets_it_into_no_text(key):
    """Neither text nor reasoning."""
    with serving(once(http(body(f"a {KEY}", reasoning=f"b {KEY}")))) as server:
        completion = complete(server.url)
    assert (completion.text, completion.reasoning) == ("a ***", "b ***")


@pytest.mark.parametrize(
    "value", ["", "  ", "\n", "sk-a\nX-Header: b", "sk-\u00e9", "\u201csk\u201d"]
)
def test_a_key_that_cannot_be_one_is_a_usage_error(monkeypatch, value):
    """It is not shown."""
    monkeypatch.setenv("OPENAI_API_KEY", value)
    with pytest.raises(UsageError, match="OPENAI_API_KEY") as caught:
        read_endpoint("http://127.0.0.1:9/v1")
    assert "sk" not in str(caught.value)


def test_a_line_break_behind_the_key_does_not_matter(monkeypatch):
    """As it is read from a file."""
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\n")
    assert read_endpoint("http://h/v1").authorization == f"Bearer {KEY}"


def test_a_password_in_the_address_is_used_and_hidden(monkeypatch):
    """It is in no message, no identity and no manifest."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    models = http({"data": [{"id": "m"}]})
    with serving(once(models)) as server:
        url = server.url.replace("//", "//me:s3cret@")
        model = served(url)
        assert b"Authorization: Basic bWU6czNjcmV0" in server.requests[0]
    assert "s3cret" not in model.spec + str(model.identity)
    with pytest.raises(CheckpointError) as caught:
        served(url)
    assert "s3cret" not in str(caught.value)
    assert hide_password(f"--base-url={url} x@y") == f"--base-url={url} x@y".replace(
        "me:s3cret", "***"
    )


@pytest.mark.parametrize(
    "url",
    ["", "x", "host:8000/v1", "ftp://h/v1", "http://", "http:///v1", "http://h:99999/v1",
     "http://h:x/v1", "http://[::1/v1", "http://h/ v1", "http://h/v1\r\nX: y", "file:///etc"],
)  # fmt: skip
def test_what_is_no_address_is_a_usage_error(url):
    """Nothing is asked."""
    with pytest.raises(UsageError, match="no address of a server"):
        read_endpoint(url)


# --- the list of models


@pytest.mark.parametrize(
    "sent",
    [
        [http({})], [http([])], [http(b"<html></html>")], [http(b"")], [http({"data": None})],
        [http({"data": {}})], [http({"data": [None, 3, {"id": 4}, {"id": "\ud83d"}]})],
        [http(b"[" * 100_000)], [http(b"9" * 5_000)], [http({"error": "x"}, 500)],
        [b"HTTP/1.1 204 X\r\n\r\n"], [http(b"", 302, "Location: /v1/models")], [b""],
        [http(b"x" * (5 << 20))], [30.0], [b"HTTP/1.1 200 X\r\n\r\n", *[b" ", 0.1] * 300],
    ],
)  # fmt: skip
def test_a_list_of_models_that_is_none_is_named(sent):
    """Within the time limit, whatever comes."""
    began = time.monotonic()
    with serving(once(*sent)) as server, pytest.raises(CheckpointError, match=r"/v1/models"):
        served(server.url, limits=Limits(timeout_s=2, max_retries=0, max_bytes=4 << 20))
    assert time.monotonic() - began < 4


def test_a_long_list_of_models_is_shown_in_part():
    """Twenty names."""
    models = {"data": [{"id": f"model-{n}"} for n in range(5000)]}
    with serving(once(http(models))) as server, pytest.raises(CheckpointError) as caught:
        served(server.url, "other")
    assert "and 4980 more" in str(caught.value)


def test_questions_may_hold_anything():
    """Half a character in a prompt is sent as JSON writes it."""
    with serving(once(http(body()))) as server:
        ServerClient(read_endpoint(server.url), FAST).complete({"x": "\ud83d \0"})
        sent = server.requests[0].partition(b"\r\n\r\n")[2]
    assert json.loads(sent) == {"x": "\ud83d \0"}
