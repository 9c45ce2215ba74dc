"""Whatever a server sends ends in a text, a refusal or a named failure, within the time limit."""

import time

import pytest

from harness.server import errors
from harness.server.client import Limits, ServerClient
from harness.server.endpoint import read_endpoint
from tests.harness.server.raw_server import once, serving
from tests.harness.server.replies import replies

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
