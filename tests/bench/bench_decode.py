"""How fast are 64 frames of an hour of video read, beside decord and torchcodec?

    python -m tests.bench.bench_decode [--minutes 60] [--repeats 3] [--keep FILE]

Draws a minute of video (720p, 30 frames per second, about 940 kB/s, a key frame every 250 frames),
repeats it up to the length without encoding it again, and reads 64 frames, evenly spaced, with each
reader in turn, each time in a process of its own. Ours includes the hash of the file, the check of
its packet table and the resizing; the others only read. The file is read once before, so that all
find it in memory. torchcodec takes part where it is installed.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import av
import numpy as np
from numpy.typing import NDArray

from harness.schema import FramePolicy, FrameRule, Media
from harness.video.decode import content_key, decode, resize

RATE, WIDTH, HEIGHT, DRAWN_S = 30, 1280, 720, 60
POLICY = FramePolicy(rule=FrameRule.LINSPACE, max_frames=64, min_pixels=1, max_pixels=256 * 28 * 28)
PATCH = 28
Frames = NDArray[np.uint8]


def main() -> int:
    """Run the readers in turn and print the table; exit 1 when their frames differ."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="the video: made there, or read if it exists")
    parser.add_argument("--one", choices=sorted(READERS), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(_measure(args.one, args.keep)))  # noqa: T201
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = args.keep or Path(folder) / "long.mp4"
        if not path.exists():
            _write_video(path, args.minutes)
        content_key(Media(path=path), POLICY, patch_multiple=PATCH)  # reads the file
        return _compare(path, args.repeats)


def _compare(path: Path, repeats: int) -> int:
    names = [name for name in READERS if name == "videor1" or find_spec(name)]
    runs: dict[str, list[Mapping[str, float]]] = {name: [] for name in names}
    for turn in range(repeats):
        for name in names if turn % 2 == 0 else reversed(names):
            command = [sys.executable, "-m", "tests.bench.bench_decode", "--one", name]
            done = subprocess.run([*command, "--keep", str(path)], check=True, stdout=-1, text=True)
            runs[name].append(json.loads(done.stdout.splitlines()[-1]))
    middle = {
        name: {key: statistics.median(run[key] for run in found) for key in found[0]}
        for name, found in runs.items()
    }
    print(f"{path.stat().st_size / 1e9:.2f} GB, medians of {repeats}")  # noqa: T201
    print(f"{'reader':<12}{'wall s':>8}{'of ours':>9}{'cpu s':>8}{'RSS MiB':>9}{'pixels':>8}")  # noqa: T201
    for name, run in middle.items():
        ratio = run["wall_s"] / middle["videor1"]["wall_s"]
        print(  # noqa: T201
            f"{name:<12}{run['wall_s']:>8.2f}{ratio:>9.2f}{run['cpu_s']:>8.2f}"
            f"{run['rss_mib']:>9.0f}{run['off']:>8.3f}"
        )
    print("pixels: the mean difference from our frames, of 255")  # noqa: T201
    return int(any(run["off"] > 1 for run in middle.values()))


def _measure(name: str, path: Path) -> Mapping[str, float]:
    """Run one reader in this process; the comparison of frames is not part of its time."""
    read = READERS[name]()
    wall, cpu = time.perf_counter(), time.process_time()
    frames = read(path)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    ours = decode(Media(path=path), POLICY, patch_multiple=PATCH).frames
    size = (ours.shape[2], ours.shape[1])
    same = np.stack([resize(frame, size) for frame in frames])
    off = np.abs(same.astype(np.int16) - ours).mean()
    return {"wall_s": wall, "cpu_s": cpu, "rss_mib": peak, "off": float(off)}


def _take_64(total: int) -> list[int]:
    return [int(place) for place in np.linspace(0, total - 1, POLICY.max_frames)]


def _make_ours() -> Callable[[Path], Frames]:
    return lambda path: decode(Media(path=path), POLICY, patch_multiple=PATCH).frames


def _make_decord() -> Callable[[Path], Frames]:
    import decord

    def read(path: Path) -> Frames:
        video = decord.VideoReader(str(path))
        return np.asarray(video.get_batch(_take_64(len(video))).asnumpy())

    return read


def _make_torchcodec() -> Callable[[Path], Frames]:
    from torchcodec.decoders import VideoDecoder

    def read(path: Path) -> Frames:
        video = VideoDecoder(str(path), dimension_order="NHWC")
        return np.asarray(video.get_frames_at(_take_64(len(video))).data.numpy())

    return read


READERS: Mapping[str, Callable[[], Callable[[Path], Frames]]] = MappingProxyType(
    {"videor1": _make_ours, "decord": _make_decord, "torchcodec": _make_torchcodec}
)


def _write_video(path: Path, minutes: int) -> None:
    """Encode a minute of moving shapes and noise, and write it `minutes` times."""
    part = path.with_name("minute.mp4")
    noise = np.random.default_rng(0).integers(-6, 6, (8, HEIGHT, WIDTH), dtype=np.int16)
    across, down = np.arange(WIDTH)[None], np.arange(HEIGHT)[:, None]
    with av.open(str(part), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "ultrafast"})
        stream.bit_rate, stream.pix_fmt = 7_500_000, "yuv420p"
        stream.width, stream.height = WIDTH, HEIGHT
        for index in range(RATE * DRAWN_S):
            squares = ((across + 3 * index) // 40 + (down + index) // 40) % 2 * 120 + 60
            picture = np.clip(squares + noise[index % 8], 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with av.open(str(path), "w") as joined:
        copy = None
        for minute in range(minutes):
            with av.open(str(part)) as source:
                packets = source.demux(video=0)
                copy = copy or joined.add_stream_from_template(source.streams.video[0])
                for packet in packets:
                    if packet.dts is None or packet.pts is None or packet.time_base is None:
                        continue
                    shift = round(minute * DRAWN_S / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = copy
                    joined.mux(packet)
    part.unlink()


if __name__ == "__main__":
    sys.exit(main())
