"""Two upstream tasks of lmms-eval on local rows, and a server that answers by the question's text.

VideoMME and MMMU are as installed in all but where their rows come from: prompts, media folders,
scoring and aggregation. The answers depend on the text alone, so that programs which show frames
in different ways get the same ones.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from PIL import Image

from tests.clips import picture, write_clip

VIDEO, IMAGE = "local_videomme", "local_mmmu_val"
METRIC = {VIDEO: "videomme_perception_score", IMAGE: "mmmu_acc"}
ITEMS = {VIDEO: 12, IMAGE: 8}

_REPLIES = (
    "A", "B.", "(C)", "The answer is D", "<think>A or B?</think>C", "B", "C. He left", "D", "A.",
)  # fmt: skip
"""MMMU's rule guesses at random where it reads no letter, so that all of these have one."""


def write_upstream(folder: Path, home: Path) -> Path:
    """Write rows and media, the videos below `home`; return the folder for ``--include-path``."""
    import yaml

    tasks = folder / "tasks"
    tasks.mkdir(parents=True)
    (folder / "videomme.json").write_text(json.dumps(_videomme(home / "videomme" / "data")))
    _mmmu(folder / "mmmu")
    rows = {"data_files": {"test": f"{folder}/videomme.json"}}
    changed = {
        VIDEO: ("videomme/videomme.yaml", "json", rows),
        IMAGE: ("mmmu/mmmu_val.yaml", f"{folder}/mmmu", {"load_from_disk": True}),
    }
    for name, (upstream, path, arguments) in changed.items():
        config = {
            "task": name,
            "include": str(_installed() / "tasks" / upstream),
            "dataset_path": path,
            "dataset_name": None,
            "dataset_kwargs": arguments,
        }
        (tasks / f"{name}.yaml").write_text(yaml.safe_dump(config))
    return tasks


@contextmanager
def answering() -> Iterator[str]:
    """Serve an OpenAI-compatible model named ``m``; yield the base URL."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}/v1"
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._send({"data": [{"id": "m", "root": "m"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        parts = [part for turn in body["messages"] for part in turn["content"]]
        text = "".join("".join(part["text"].split()) for part in parts if part["type"] == "text")
        number = int(hashlib.sha256(text.encode()).hexdigest(), 16)
        message = {"role": "assistant", "content": _REPLIES[number % len(_REPLIES)]}
        self._send({
            "id": "1", "object": "chat.completion", "created": 0, "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9},
        })  # fmt: skip

    def _send(self, content: object) -> None:
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass


def _installed() -> Path:
    import lmms_eval

    return Path(lmms_eval.__path__[0])


def _videomme(videos: Path) -> list[dict[str, object]]:
    videos.mkdir(parents=True)
    for number in range(4):
        write_clip(videos / f"v{number}.mp4", frames=40)
    return [
        {
            "question_id": f"{n}-1", "videoID": f"v{n // 3}", "duration": ("short", "long")[n % 2],
            "domain": ("Knowledge", "Life Record")[n // 6], "sub_category": "Astronomy",
            "task_type": "Action Recognition", "question": f"What does he do at {n}?",
            "options": ["A. He ran.", "B. He sat.", "C. He left.", "D. Nothing."],
            "answer": "BCDA"[n % 4],
        }
        for n in range(ITEMS[VIDEO])
    ]  # fmt: skip


def _mmmu(folder: Path) -> None:
    import datasets

    rows = [
        {
            "id": f"validation_{('Art', 'Finance')[n % 2]}_{n}", "explanation": "",
            "question": f"Look at <image 1> and say number {n}.",
            "question_type": "open" if n == 5 else "multiple-choice",
            "options": "[]" if n == 5 else "['red', 'blue', 'green', 'He left']",
            "answer": "12.97" if n == 5 else "ABCD"[n % 4],
            "image_1": Image.fromarray(picture(40 + n)),
        }
        for n in range(ITEMS[IMAGE])
    ]  # fmt: skip
    known = datasets.Features({
        **{name: datasets.Value("string") for name in rows[0] if name != "image_1"},
        "image_1": datasets.Image(),
    })  # fmt: skip
    split = datasets.Dataset.from_list(rows, features=known)
    datasets.DatasetDict({"validation": split}).save_to_disk(str(folder))
