"""The shared cases about replies of servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from harness.run.store import read_records
from harness.schema import Outcome
from tests.faults.cases import Case, Found, run
from tests.faults.cases_media import EVAL, write_question
from tests.harness.server.raw_server import RawServer, http

_VIDEO = EVAL / "pad_h264_mkv" / "pad_h264.mkv"
_SMALL = ("--workers", "1", "--max-frames", "4", "--max-pixels", "18816")


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield _body("server_200_with_error", "tried again, or failed in the server's words", None)
    yield _body("server_content_parts", "the text of the parts is scored", "<answer>10</answer>")
    yield _body("server_empty_content_reasoning", "failed with a hint, or reasoning is read", None)
    yield _body(
        "server_lone_surrogate", "stored and scored like any text", "<answer>10</answer> \ufffd"
    )
    yield Case(
        "eval/server_broken_reply", "that item fails, the run concludes", _look_at_broken, long=True
    )


def _evaluate(server: RawServer, data: Path, *words: str) -> tuple[int, str]:
    at = data.parent
    done = run("eval", "stub", "--base-url", server.url, "--data", data, "--tasks", "vsibench",
               "--out", at / "r", *_SMALL, *words, at=at, OPENAI_API_KEY="k")  # fmt: skip
    return done.code, done.last


def _body(name: str, right: str, text: str | None) -> Case:
    """Return the case of one body: `text` is what has to be scored as right, None: see below."""

    def look(folder: Path) -> Found:
        body = (EVAL / name / "body.json").read_bytes()
        data = write_question(folder / "d", _VIDEO)
        with closing(RawServer(_answer(http(body)))) as server:
            code, _ = _evaluate(server, data)
            asked = sum(b"POST" in request[:5] for request in server.requests)
        [record] = read_records(folder / "r")
        failure = f"{record.failure.error}: {record.failure.message}" if record.failure else ""
        gives = f"{record.outcome}, asked {asked} times; {failure or record.text!r}; exit {code}"
        if text is not None:
            return Found(gives, (record.text, record.value, code) == (text, 1.0, 0))
        if record.failure:
            told = "Provider returned error" in failure or "reasoning" in failure
            return Found(gives, code == 4 and told)
        return Found(gives, record.reasoning == "so <answer>10</answer>" and code in (0, 4))

    return Case(f"eval/{name}", right, look, long="error" in name)


def _look_at_broken(folder: Path) -> Found:
    questions = (EVAL / "server_broken_reply" / "test.jsonl").read_text()
    data = write_question(folder / "d", _VIDEO)
    (data / "vsibench" / "clips" / "p.mp4").write_bytes(_VIDEO.read_bytes())
    (data / "vsibench" / "test.jsonl").write_text(questions)
    sound = (EVAL / "server_content_parts" / "body.json").read_bytes()

    def script(request: bytes) -> Iterator[bytes | float]:
        broken = http(sound[:80], length=400)
        yield from _answer(broken if b"CASE:trunc" in request else http(sound))(request)

    with closing(RawServer(script)) as server:
        code, last = _evaluate(server, data, "--max-failures", "1")
    records = {record.id: record for record in read_records(folder / "r")}
    failed = [name for name, one in records.items() if one.outcome is Outcome.FAILED]
    gives = f"{len(records)} records, failed: {', '.join(failed)}; {last}"
    return Found(gives, len(records) == 41 and failed == ["vsibench/0"] and code == 0)


def _answer(reply: bytes):  # type: ignore[no-untyped-def]
    """Return a script that names its model and gives every question one reply."""
    models = http({"object": "list", "data": [{"id": "stub", "root": "stub"}]})
    return lambda request: iter([models if request.startswith(b"GET") else reply])
