"""Addresses of Ray clusters: what is one, and whether anybody listens there."""

import socket

import pytest

from harness.errors import BackendError
from harness.replicas.address import require_listener, split_address
from harness.run.config import ClusterConfig


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("auto", None),
        ("10.0.0.7:6379", ("10.0.0.7", 6379)),
        ("gpu-01.cluster:6379", ("gpu-01.cluster", 6379)),
        ("[fd00::7]:6379", ("fd00::7", 6379)),
    ],
)
def test_an_address_is_a_host_with_a_port(text, place):
    """Or auto; an IPv6 address is in brackets."""
    assert split_address(text) == place


@pytest.mark.parametrize(
    "text",
    ["", "local", "10.0.0.7", "10.0.0.7:", ":6379", "ray://10.0.0.7:10001", "http://a:1", "a:0",
     "a:65536", "a:6379 ", "fd00::7:6379", "AUTO"],
)  # fmt: skip
def test_what_is_no_address_is_refused_before_anything_starts(text):
    """A Ray client's address, too: it can carry no stream of records."""
    with pytest.raises(ValueError, match="ray: expected auto or HOST:PORT"):
        ClusterConfig(ray=text)


def test_an_address_where_nobody_listens_is_told_at_once():
    """Ray would try for minutes."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(BackendError, match=f"Ray cannot be used at {address}: .*refused"):
            require_listener(address)


def test_a_listener_is_enough():
    """Whether it is Ray, Ray will tell."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        require_listener(f"127.0.0.1:{server.getsockname()[1]}")
