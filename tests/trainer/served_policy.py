"""A server on this machine that samples as a vLLM server of `videor1 train serve` does.

A real HTTP server around a real model: frames and their times come out of the request, weights out
of the folder that it is told, and tokens are drawn by the seeds of the request. It is slow and
small, where vLLM takes half a minute to start.
"""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from harness.backends import chat
from harness.models.checkpoint import full_checkpoint
from harness.schema import Prompt
from tests.trainer.small_runs import load_small
from trainer.loops.model import restore_weights
from trainer.serving.worker import WeightsFromFolder

Body = dict[str, Any]


class ServedPolicy(WeightsFromFolder):
    """Serves a checkpoint; `before` is called with the number of each question before its answer.

    `before` may wait, or raise `BrokenPipeError`: then the connection ends without an answer.
    """

    def __init__(self, checkpoint: Path) -> None:
        self.checkpoint = checkpoint
        self.processor = chat.load_processor(full_checkpoint(str(checkpoint)))
        self.before: Callable[[int], None] = lambda number: None
        self.loads: list[str] = []
        """Names of the folders that weights came from."""
        self.asked: list[tuple[str, str, int, int]] = []
        """Text of each question, and the weights, the seed and the number of its completions."""
        self.forgotten: list[str] = []
        """Caches that were reset."""
        self.lives = 0
        self._lock = threading.Lock()
        self._start(0)

    def _start(self, port: int) -> None:
        self._model = load_small(self.checkpoint).model.eval()
        self._weights = "checkpoint"
        self.trained_weights = None
        self.http = ThreadingHTTPServer(("127.0.0.1", port), _make_handler(self))
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def die(self) -> None:
        """Stop to listen; what is under way gets no answer."""
        self.lives += 1
        self.http.shutdown()
        self.http.server_close()

    def restart(self) -> None:
        """Listen again, with the weights of the checkpoint."""
        self._start(int(self.http.server_port))

    def reload_weights(self, weights_path: str) -> None:
        """Read weights as vLLM does, and find a weight that is missing."""
        folder = Path(weights_path)
        for name in ("config.json", "generation_config.json"):
            (folder / name).write_bytes((self.checkpoint / name).read_bytes())
        restore_weights(self._model, folder)
        self._weights = folder.name
        self.loads.append(folder.name)

    def beside(self, path: str, body: Body) -> Body:
        """Answer an address beside ``/v1``."""
        if path.endswith("/collective_rpc"):
            with self._lock:
                return {"results": [getattr(self, body["method"])(*body["args"])]}
        self.forgotten.append(path.rpartition("/")[2])
        return {"success": True}

    def answer(self, body: Body) -> Body:
        """Answer a chat completion request."""
        content = body["messages"][-1]["content"]
        with self._lock:
            number, life = len(self.asked), self.lives
            self.asked.append((content[-1]["text"], self._weights, body["seed"], body["n"]))
        self.before(number)
        inputs = self._inputs(content, body)
        with self._lock:
            choices = self._sample(inputs, body)
            if life != self.lives:
                raise BrokenPipeError
        return {"prompt_token_ids": inputs["input_ids"][0].tolist(), "choices": choices}

    def _inputs(self, content: list[Body], body: Body) -> Any:
        """Return the model inputs of a question, from what has come over the wire."""
        options = chat.media_options(self.processor)
        frames = [_decode(part) for part in content if part["type"] == "video_url"]
        pictures = [_decode(part)[0] for part in content if part["type"] == "image_url"]
        times = dict(body.get("media_io_kwargs", {}).get("video", {}))
        if frames:
            assert (times.pop("num_frames"), times.pop("do_sample_frames")) == (-1, False)
        kinds = ["image" if part["type"] == "image_url" else "video" for part in content[:-1]]
        turns = [{"role": "user", "content": [*({"type": kind} for kind in kinds), content[-1]]}]
        text = self.processor.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        assert Prompt(text=content[-1]["text"]).text in text
        return self.processor(
            text=[text],
            images=[[Image.fromarray(one) for one in pictures]] if pictures else None,
            videos=frames or None,
            images_kwargs=options["images_kwargs"],
            videos_kwargs={**options["videos_kwargs"], "video_metadata": [times] * len(frames)},
            text_kwargs={"add_special_tokens": False},
            return_tensors="pt",
        )

    @torch.no_grad()
    def _sample(self, inputs: Any, body: Body) -> list[Body]:
        """Draw the completions of a prompt side by side, each with its own generator."""
        count = body["n"]
        drawing = [torch.Generator().manual_seed(body["seed"] + n) for n in range(count)]
        ids = inputs["input_ids"].repeat(count, 1)
        media = {
            name: value.repeat(count, *[1] * (value.ndim - 1))
            for name, value in inputs.items()
            if "pixel" in name or "grid" in name
        }
        logps = []
        for _ in range(body["max_tokens"]):
            types = torch.zeros_like(ids)
            types[ids == self._model.config.image_token_id] = 1
            types[ids == self._model.config.video_token_id] = 2
            logits = self._model(
                input_ids=ids, attention_mask=torch.ones_like(ids), mm_token_type_ids=types, **media
            ).logits[:, -1]
            allowed = logits.clone()
            for token, bias in body["logit_bias"].items():
                allowed[:, int(token)] += bias
            shares = allowed.softmax(-1)
            drawn = torch.stack(
                [
                    torch.multinomial(share, 1, generator=own)
                    for share, own in zip(shares, drawing, strict=True)
                ]
            )
            logps.append(logits.log_softmax(-1).gather(1, drawn))
            ids = torch.cat([ids, drawn], dim=1)
        written = ids[:, inputs["input_ids"].shape[1] :].tolist()
        said = torch.cat(logps, dim=1).tolist()
        found = []
        for index, (tokens, values) in enumerate(zip(written, said, strict=True)):
            end = tokens.index(self._end) + 1 if self._end in tokens else len(tokens)
            content = [{"logprob": value} for value in values[:end]]
            found.append(
                {"index": index, "token_ids": tokens[:end], "logprobs": {"content": content}}
            )
        return found[::-1]  # the order is in the numbers

    @property
    def _end(self) -> int:
        return int(self.processor.tokenizer.eos_token_id)


def _decode(part: Body) -> Any:
    """Return the frames of a part, shape (frames, height, width, 3)."""
    kind = part["type"]
    texts = part[kind]["url"].partition(";base64,")[2].split(",")
    images = [Image.open(io.BytesIO(base64.b64decode(text))) for text in texts]
    assert {image.format for image in images} == {"PNG"}
    return np.stack([np.asarray(image) for image in images])


def _make_handler(served: ServedPolicy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send({"data": [{"id": "policy", "root": str(served.checkpoint)}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                chats = self.path.endswith("/chat/completions")
                self._send(served.answer(body) if chats else served.beside(self.path, body))
            except BrokenPipeError:
                self.close_connection = True

        def _send(self, content: Body) -> None:
            data = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    return Handler
