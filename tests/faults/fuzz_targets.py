"""What the fuzzer calls: readers of foreign bytes, with the promises that every input must keep.

A target takes bytes and returns nothing; it raises where a promise is broken. The small version
(`tests/faults/test_fuzz_targets.py`) gives the same targets damaged seeds, without a fuzzer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, MediaError, UsageError
from harness.run.manifest_shape import require_plan, require_setting
from harness.run.store import read_manifest
from harness.schema import Sample, Score
from harness.server.errors import ServerError
from harness.server.exchange import Reply
from harness.server.reply import read_completion, read_failure
from harness.task import registry
from harness.task.api import Scorer
from harness.video.avi import count_chunks
from harness.video.fragments import find_break
from harness.video.matroska import count_missing_bytes
from harness.video.padding import has_hole
from harness.video.track import opened, packets_of, scan
from tasks.demo.layouts import write_all
from tests.clips import write_clip
from tests.harness.server.replies import replies
from tests.paths import FIXTURES

Check = Callable[[bytes], None]
_STATUSES = (200, 200, 200, 200, 200, 201, 204, 400, 401, 403, 404, 408, 429, 500, 503, 302)
_FINISHED = ("stop", "length", "content_filter", "refusal")
_VIDEOS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("a.mp4", "libx264", {"g": "4", "bf": "2"}),
    ("a.mkv", "libx264", {"g": "4"}),
    ("b.mp4", "mpeg4", {"bf": "2"}),
    ("a.avi", "mpeg4", {"bf": "2"}),
    ("a.ts", "libx264", {"g": "4"}),
    ("a.webm", "libvpx", {"auto-alt-ref": "1", "lag-in-frames": "4"}),
    ("b.webm", "libvpx-vp9", {}),
)
_CODECS = ("h264", "hevc", "mpeg4", "vp8", "vp9", "av1", "mjpeg")
_TEXTS = (
    "", "A", "(B) right", "<answer>A</answer>", "<think>x</think>\n<answer> 3.5 </answer>", "1,0",
    r"so \boxed{4}", "**C**", "The answer is (D).", "final answer: left", "nan", "1e400", "-0", "٣",
    "yes, no", "A and B", "<answer></answer>", "½", "3 x 10^5", "12:30", "Answer: 1/0", "\0", "İ",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """One reader to fuzz."""

    make: Callable[[Path], Check]
    """Takes a folder for files of its own."""
    seeds: Callable[[Path], Iterator[bytes]]
    """Yields sound inputs; takes a folder for files of its own."""


def check_reply(data: bytes) -> None:
    """Read a reply: the first byte chooses the status, the others are the body."""
    reply = Reply(status=_STATUSES[data[0] % len(_STATUSES)] if data else 200, headers={},
                  body=data[1:])  # fmt: skip
    with suppress(ServerError):
        completion = read_completion(reply)
        _require_storable(completion.text, completion.reasoning or "")
        assert completion.finish_reason in _FINISHED, completion.finish_reason
        assert completion.prompt_tokens >= 0 <= completion.output_tokens
        json.dumps(asdict(completion), allow_nan=False)
    failure = read_failure(reply)
    if 200 <= reply.status < 300:
        assert failure is None
    else:
        assert isinstance(failure, ServerError)
        _require_storable(str(failure))
        assert str(failure).isprintable(), str(failure)
        assert len(str(failure)) < 1000


def make_answer_check(folder: Path) -> Check:
    """Return a check of all rules of all benchmarks on one text; the first byte chooses."""
    pairs = list(_samples_with_scorers(folder))

    def check(data: bytes) -> None:
        sample, scorers = pairs[data[0] % len(pairs) if data else 0]
        text = data[1:].decode("utf-8", "replace")
        for scorer in scorers:
            score = scorer.score(sample, text)
            _require_score(score, scorer)
            assert scorer.score(sample, text) == score, f"{scorer.name}: not the same twice"

    return check


def make_track_check(folder: Path) -> Check:
    """Return a check of the packet table and of the search for holes and chunks."""
    path = folder / "fuzzed"

    def check(data: bytes) -> None:
        path.write_bytes(data)
        chunks = count_chunks(path, 0)
        assert 0 <= chunks.empty <= chunks.all
        assert count_missing_bytes(path) >= 0
        find_break(path)
        for codec in _CODECS:
            has_hole(data[9:], codec, data[:9] if data[:1] == b"\1" else None)
        with suppress(MediaError):
            track = scan(path)
            _require_track(track)
            with opened(path) as (container, stream):
                name, extra = stream.codec_context.codec.canonical_name, None
                extra = stream.codec_context.extradata
                for packet in packets_of(container, stream):
                    has_hole(bytes(packet), name, extra)

    return check


def make_manifest_check(folder: Path) -> Check:
    """Return a check of ``run.json``: what passes can be shown and planned, or is refused."""

    def check(data: bytes) -> None:
        (folder / "run.json").write_bytes(data)
        with suppress(HarnessError):
            content = read_manifest(folder)
            for require in (require_setting, require_plan):
                with suppress(HarnessError):
                    require(content, "run.json")
            _require_storable(json.dumps(content, allow_nan=False, ensure_ascii=False))

    return check


def _samples_with_scorers(folder: Path) -> Iterator[tuple[Sample, list[Scorer]]]:
    """Yield a few questions of every kind of every installed benchmark."""
    write_all(folder)
    for name in sorted(registry.installed()):
        task = registry.get(name)
        where = registry.data_folder(task, folder)
        if not where.is_dir():
            continue
        seen: set[tuple[object, int]] = set()
        for sample in task.load(where).samples:
            kind = (sample.category.rpartition("/")[0] or sample.category, len(sample.options))
            if kind not in seen:
                seen.add(kind)
                yield sample, [one for one in task.scorers.values() if _is_usable(one)]


def _is_usable(scorer: Scorer) -> bool:
    try:
        scorer.require()
    except UsageError:
        return False
    return True


def _require_score(score: Score, scorer: Scorer) -> None:
    where = f"{scorer.name}: {score}"
    assert score.value is None or 0.0 <= score.value <= 1.0, where
    assert score.value is None or math.isfinite(score.value), where
    _require_storable(score.answer or "")


def _require_storable(*texts: str) -> None:
    for text in texts:
        text.encode()  # raises for half of a UTF-16 pair


def _require_track(track: Any) -> None:
    assert list(track.times) == sorted(track.times)
    assert track.times[0] == 0.0
    assert math.isfinite(track.times[-1])
    assert len(track.times) == len(track.shown)
    assert list(track.shown) == sorted(set(track.shown))
    assert 0 < track.fps < math.inf, track.fps
    assert sorted(track.ranks) == list(range(len(track.ranks)))


def _reply_seeds(folder: Path) -> Iterator[bytes]:
    for _, sent, _ in replies():
        whole = sent[0] if len(sent) == 1 and isinstance(sent[0], bytes) else b""
        head, _, body = whole.partition(b"\r\n\r\n")
        if body and b"Encoding" not in head and len(body) < 4000:
            yield b"\0" + body


def _answer_seeds(folder: Path) -> Iterator[bytes]:
    for place, text in enumerate(_TEXTS * 3):
        yield bytes([place * 7 % 256]) + text.encode()


def _track_seeds(folder: Path) -> Iterator[bytes]:
    for name, codec, options in _VIDEOS:
        yield write_clip(folder / name, 8, codec=codec, options=options).read_bytes()


def _manifest_seeds(folder: Path) -> Iterator[bytes]:
    yield (FIXTURES / "run_schema_1" / "run.json").read_bytes()
    small = {"checkpoint": {}, "protocol": {"mvbench": {}}, "data": {"mvbench": {"items": 1}}}
    yield json.dumps(small).encode()


_WORDS = {
    "reply": """choices message content finish_reason stop length usage error prompt_tokens
        completion_tokens reasoning reasoning_content refusal type reasoning_details text thinking
        code metadata flagged_input tool_calls null true token_ids innererror content_filter 1e999
        NaN \\ud83d""",
    "answers": r"""<answer> </answer> <think> </think> \boxed{ answer final Answer: ** (A) $ 1e400
        nan inf 000 , yes no""",
    "track": """moov trak stts ctts stsc stsz stco elst stss mdat tkhd RIFF LIST AVI movi rec 00dc
        idx1 strh avih""",
    "manifest": """schema tasks protocol data items sha256 frames max_frames sampling scorer limit
        null true 1e999 -1 mvbench lmms: checkpoint order rule \\ud800 NaN""",
}
"""What a mutation may put in as a whole."""
TARGETS = {
    "reply": Target(lambda folder: check_reply, _reply_seeds),
    "answers": Target(make_answer_check, _answer_seeds),
    "track": Target(make_track_check, _track_seeds),
    "manifest": Target(make_manifest_check, _manifest_seeds),
}
"""Names on the command line."""


def words_of(name: str) -> list[str]:
    """Return what a mutation of a target's input may put in as a whole."""
    return _WORDS[name].split()
