"""Whatever a server sends ends in a text, a refusal or a named failure, within the time limit."""

import json
import time
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.schema import Completion
from harness.server import errors
from harness.server.client import Limits, ServerClient
from harness.server.endpoint import read_endpoint
from harness.server.exchange import Reply
from harness.server.reply import read_completion
from tests.harness.server.raw_server import once, serving
from tests.harness.server.replies import body, replies

CASES = list(replies())


def test_there_are_many_replies():
    """At least the 116 that the first search tried, each by a name of its own."""
    assert len({name for name, _, _ in CASES}) == len(CASES) >= 116


@pytest.mark.parametrize(("sent", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_a_reply_ends_as_it_should(sent, expected):
    """The text is the server's, a refusal is marked, a failure has its class and some words."""
    limit = 1.0 if expected == "TimeLimitError" else 20.0
    with serving(once(*sent)) as server:
        client = ServerClient(read_endpoint(server.url), Limits(timeout_s=limit, max_retries=0))
        began = time.monotonic()
        if expected == "refused" or expected.startswith("text "):
            completion = client.complete({"model": "m"})
            assert completion.refused == (expected == "refused")
            assert completion.refused or completion.text == expected.removeprefix("text ")
            completion.text.encode()
        else:
            with pytest.raises(getattr(errors, expected)) as caught:
                client.complete({"model": "m"})
            assert 5 < len(str(caught.value)) < 1000
            assert str(caught.value).isprintable()
        assert time.monotonic() - began < limit + 1


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
JSON = st.recursive(
    LEAVES, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(), x, max_size=3)
)
FULL = body([{"type": "text", "text": "a"}], reasoning="b", refusal=None, tool_calls=[]) | {
    "error": None
}


def paths(value, before=()):
    yield before
    if isinstance(value, dict | list):
        keys = value if isinstance(value, dict) else range(len(value))
        for key in keys:
            yield from paths(value[key], (*before, key))


def read(content, status=200):
    """Read a reply; a failure of ours would be any other exception."""
    try:
        found = read_completion(Reply(status, {}, content))
    except errors.ServerError as error:
        found = error
    if isinstance(found, Completion):
        json.dumps([found.text, found.reasoning], ensure_ascii=False).encode()
        assert 0 <= found.prompt_tokens < 2**31
    else:
        str(found).encode()
    return found


@given(st.sampled_from(sorted(paths(FULL), key=repr)), JSON, st.sampled_from([200, 400, 500]))
@settings(max_examples=1000, deadline=None)
def test_any_value_at_any_place_is_read(path, value, status):
    """One part of a reply is replaced by something else."""
    content = deepcopy(FULL)
    if path:
        inner = content
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
    else:
        content = value
    read(json.dumps(content).encode(), status)


@given(st.binary(max_size=200), st.integers(100, 999))
@settings(max_examples=500, deadline=None)
def test_any_bytes_are_read(content, status):
    """No bytes are a fault of ours."""
    read(content, status)
