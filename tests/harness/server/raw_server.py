"""A server on the loopback that sends whatever bytes a test gives it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Script = Callable[[bytes], Iterator[bytes | float]]
"""Maps a request to the bytes to send; numbers are pauses in seconds. The connection then ends."""


def http(body: object = b"", status: int = 200, *headers: str, length: int | None = None) -> bytes:
    """Return an HTTP reply; a body that is not bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    size = len(content) if length is None else length
    head = [f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {size}"]
    return "\r\n".join([*head, *headers, "", ""]).encode() + content


def once(*sent: bytes | float) -> Script:
    """Send the same to every request."""
    return lambda request: iter(sent)


class RawServer:
    """Keeps the requests that it has read."""

    def __init__(self, script: Script) -> None:
        self.requests: list[bytes] = []
        self._script = script
        self._ended = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            request = _read_request(connection)
            self.requests.append(request)
            for part in self._script(request):
                if self._ended.is_set():
                    return
                if isinstance(part, bytes):
                    connection.sendall(part)
                else:
                    time.sleep(part)


def _read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536) or b"\r\n\r\n"
    head, _, body = data.partition(b"\r\n\r\n")
    sizes = [x.split(b":")[1] for x in head.split(b"\r\n") if x.lower().startswith(b"content-len")]
    while sizes and len(body) < int(sizes[0]):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def serving(script: Script) -> Iterator[RawServer]:
    """Serve until the block ends."""
    server = RawServer(script)
    try:
        yield server
    finally:
        server.close()
