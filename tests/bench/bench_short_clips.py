"""How fast are the frames of short clips read, beside decord, torchcodec and another checkout?

    python -m tests.bench.bench_short_clips [--repeats 5] [--against CHECKOUT] [--only TEXT]

Draws clips of 10 s, 30 s and 2 min (360p and 720p; H.264 and HEVC in MP4, VP9 in WebM; 30 frames
per second, a key frame every 250 frames at most) and takes 8, 16 and 64 evenly spaced frames of
each, at the size that a model gets. Every reader is a process of its own that is asked in turn, so
that all meet the machine in the same state. Ours includes the hash of the file and the check of its
packet table. decord and torchcodec take part where they are installed; ``--against`` adds the
decoder of another checkout. The table has medians: wall seconds of ours, then by reader its wall
and processor seconds as multiples of ours (above 1: ours is faster; nan: it cannot read the file).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

RATE, DRAWN_S = 30, 10
SECONDS, HEIGHTS, FRAMES = (10, 30, 120), (360, 720), (8, 16, 64)
CODECS = {"h264": ("libx264", "mp4"), "hevc": ("libx265", "mp4"), "vp9": ("libvpx-vp9", "webm")}
OPTIONS = {
    "libx264": {"preset": "veryfast"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
}
PATCH = 28
OURS, OTHER = "videor1", "against"
FAILED = (math.nan, math.nan)
Ask = Callable[[Path, int], tuple[float, float]]
"""Reads frames of a file in a worker; returns its wall and processor seconds, or `FAILED`."""


def main() -> None:
    """Draw the clips, ask the readers in turn, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--against", type=Path, help="folder of another checkout")
    parser.add_argument("--only", default="", help="text that a clip's name has, such as h264-720p")
    parser.add_argument("--keep", type=Path, help="folder for the clips; those there are used")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        _work(args.worker)
        return
    others = [name for name in ("decord", "torchcodec") if find_spec(name)]
    names = [OURS, *([OTHER] if args.against else []), *others]
    with ExitStack() as stack:
        folder = args.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        readers = {name: stack.enter_context(_start(name, args.against)) for name in names}
        _print_row("clip", "frames", "ours s", *(f"{n} {x}" for n in names[1:] for x in _KINDS))
        ratios = defaultdict(list)
        for codec, height, seconds in product(CODECS, HEIGHTS, SECONDS):
            name = f"{codec}-{height}p-{seconds}s"
            if args.only in name:
                path = _draw(folder, name, codec, height, seconds)
                for count in FRAMES:
                    row = _compare(readers, path, count, args.repeats)
                    for key, value in row.items():
                        ratios[key].append(value)
                    _print_row(name, count, *row.values())
        means = (
            statistics.geometric_mean(value for value in found if not math.isnan(value))
            for found in ratios.values()
        )
        _print_row("geometric mean", "", *means)


_KINDS = ("wall", "cpu")


def _compare(readers: dict[str, Ask], path: Path, count: int, repeats: int) -> dict[str, float]:
    """Return our wall seconds, and those and the processor's of the others, divided by ours."""
    order = list(readers)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in order}
    for turn in range(-1, repeats):
        for name in order if turn % 2 else reversed(order):
            measured = readers[name](path, count)
            if turn >= 0:  # the first one fills caches
                found[name].append(measured)
    middle = {
        name: [statistics.median(column) for column in zip(*runs, strict=True)]
        for name, runs in found.items()
    }
    ours = middle.pop(OURS)
    return {"ours": ours[0]} | {
        f"{name} {kind}": value / own
        for name, both in middle.items()
        for kind, value, own in zip(_KINDS, both, ours, strict=True)
    }


def _print_row(name: str, count: object, *cells: object) -> None:
    texts = (f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells)
    print(f"{name:<16}{count!s:>7}" + "".join(f"{t:>17}" for t in texts), flush=True)  # noqa: T201


@contextmanager
def _start(name: str, checkout: Path | None) -> Iterator[Ask]:
    """Start a worker with one reader and yield the function that asks it."""
    code = str(checkout) if name == OTHER and checkout else str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, (code, os.environ.get("PYTHONPATH"))))
    with subprocess.Popen(
        [sys.executable, __file__, "--worker", name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:

        def ask(file: Path, count: int) -> tuple[float, float]:
            if process.stdin is None or process.stdout is None:
                raise RuntimeError("the worker has no pipes")
            print(json.dumps([str(file), count]), file=process.stdin, flush=True)
            wall, cpu = json.loads(process.stdout.readline()) or FAILED
            return wall, cpu

        yield ask
        if process.stdin:
            process.stdin.close()


def _work(name: str) -> None:
    """Answer every line, a path and a number of frames, with wall and processor seconds."""
    read = {"decord": _make_decord, "torchcodec": _make_torchcodec}.get(name, _make_ours)()
    for line in sys.stdin:
        path, count = json.loads(line)
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            read(Path(path), count)
        except Exception as error:  # noqa: BLE001 - decord cannot read every file
            print(f"{name}: {path}: {error!r:.200}", file=sys.stderr)  # noqa: T201
            print("null", flush=True)  # noqa: T201
            continue
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(json.dumps([wall, cpu]), flush=True)  # noqa: T201


def _make_ours() -> Callable[[Path, int], object]:
    from harness.schema import FramePolicy, FrameRule, Media
    from harness.video.decode import decode

    def read(path: Path, count: int) -> object:
        policy = FramePolicy(
            rule=FrameRule.LINSPACE, max_frames=count, min_pixels=1, max_pixels=256 * PATCH**2
        )
        return decode(Media(path=path), policy, patch_multiple=PATCH)

    return read


def _make_decord() -> Callable[[Path, int], object]:
    import decord

    def read(path: Path, count: int) -> object:
        video = decord.VideoReader(str(path))
        return _resize_all(video.get_batch(_take(len(video), count)).asnumpy())

    return read


def _make_torchcodec() -> Callable[[Path, int], object]:
    from torchcodec.decoders import VideoDecoder

    def read(path: Path, count: int) -> object:
        video = VideoDecoder(str(path), dimension_order="NHWC")
        return _resize_all(video.get_frames_at(_take(len(video), count)).data.numpy())

    return read


def _take(total: int, count: int) -> list[int]:
    return [int(place) for place in np.linspace(0, total - 1, count)]


def _resize_all(frames: Sequence[Any]) -> object:
    """Bring frames to the size that ours have."""
    from harness.video.decode import resize
    from harness.video.sampling import frame_size

    height, width = frames[0].shape[:2]
    size = frame_size(width, height, min_pixels=1, max_pixels=256 * PATCH**2, patch_multiple=PATCH)
    return np.stack([resize(frame, size) for frame in frames])


def _draw(folder: Path, name: str, codec: str, height: int, seconds: int) -> Path:
    """Encode some seconds of moving shapes and noise, and write their packets up to the length."""
    import av

    encoder, ending = CODECS[codec]
    folder.mkdir(parents=True, exist_ok=True)
    path, part = folder / f"{name}.{ending}", folder / f"{codec}-{height}p-part.{ending}"
    if path.exists():
        return path
    if not part.exists():
        width = height * 16 // 9
        noise = np.random.default_rng(0).integers(-6, 6, (8, height, width), dtype=np.int16)
        across, down = np.arange(width)[None], np.arange(height)[:, None]
        with av.open(str(part), "w") as container:
            stream = container.add_stream(encoder, rate=RATE, options=OPTIONS[encoder])
            stream.bit_rate, stream.pix_fmt = height * 2500, "yuv420p"
            stream.width, stream.height, stream.gop_size = width, height, 250
            for index in range(RATE * DRAWN_S):
                squares = ((across + 3 * index) // 40 + (down + index) // 40) % 2 * 120 + 60
                picture = np.clip(squares + noise[index % 8], 0, 255).astype(np.uint8)
                frame = av.VideoFrame.from_ndarray(picture, format="gray")
                container.mux(stream.encode(frame.reformat(format="yuv420p")))
            container.mux(stream.encode())
    with av.open(str(path), "w") as joined:
        copy = None
        for place in range(seconds // DRAWN_S):
            with av.open(str(part)) as source:
                copy = copy or joined.add_stream_from_template(source.streams.video[0])
                for packet in source.demux(video=0):
                    if packet.dts is None or packet.pts is None or packet.time_base is None:
                        continue
                    shift = round(place * DRAWN_S / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = copy
                    joined.mux(packet)
    return path


if __name__ == "__main__":
    main()
