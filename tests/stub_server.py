"""A small OpenAI-compatible server that answers as told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]
Reply = tuple[int, Body]


def answer(text: str | None = "A", finish_reason: str = "stop") -> Reply:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": finish_reason, "message": message}
    usage = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    return 200, {"id": "1", "object": "chat.completion", "created": 0, "model": "m"} | {
        "choices": [choice],
        "usage": usage,
    }


def refusal(status: int, message: str = "no") -> Reply:
    return status, {"error": {"message": message, "type": "invalid", "code": status}}


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # more connections at a time than a test asks for


class Stub:
    """A server on this machine; `reply` is called with the question's text and the whole body."""

    def __init__(self) -> None:
        self.bodies: list[Body] = []
        self.authorizations: list[str | None] = []
        self.models_status = 200
        self.models: object = {"data": [{"id": "m", "root": "/models/m"}]}
        self.reply: Callable[[str, Body], Reply | None] = lambda text, body: answer()
        self.beside: Callable[[str, Body], Reply] = lambda path, body: refusal(404, "no such path")
        """Answers requests to other addresses than chat completions, by path and body."""
        self.http = _Server(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._send(stub.models_status, stub.models)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if not self.path.endswith("/chat/completions"):
                    self._send(*stub.beside(self.path, body))
                    return
                stub.bodies.append(body)
                stub.authorizations.append(self.headers["Authorization"])
                user = next(turn for turn in body["messages"] if turn["role"] == "user")
                reply = stub.reply(user["content"][-1]["text"], body)
                if reply is not None:  # None: the connection ends without a word
                    self._send(*reply)

            def _send(self, status: int, content: object) -> None:
                data = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: object) -> None:
                pass

        return Handler
