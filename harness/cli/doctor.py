"""``videor1 doctor``: what this machine has of what an evaluation needs.

Everything is shown, and only what breaks every evaluation makes the exit code 4: a core package
that is not installed, or a test clip that cannot be written and decoded. No GPU, no engine and no
data are ordinary states and are shown with what to do about them. The hub token is never shown.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

from harness.cli.exits import CommandResult, Exit
from harness.cli.flags import add_data_flag
from harness.errors import MediaError, UsageError
from harness.task import registry

PROJECT = "videor1"
HUB_VARIABLES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_ENDPOINT", "HF_HOME")
TORCH_TIMEOUT_S = 120.0

_TORCH_PROBE = """\
import torch
names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
print(", ".join(names) or "no GPU visible, CPU only")
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    area: str
    name: str
    value: str
    broken: bool = False
    """Whether nothing can be evaluated like this."""


class DoctorCommand:
    """The ``doctor`` command."""

    help = "show what this machine has: packages, decoders, devices, engines, data"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare where to look for data."""
        add_data_flag(parser)

    def run(self, args: Namespace) -> CommandResult:
        """Print the findings area by area."""
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        found = list(examine(args.data))
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(style="dim", no_wrap=True)
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        areas = [finding.area for finding in found]
        for position, finding in enumerate(found):
            area = finding.area if areas.index(finding.area) == position else ""
            table.add_row(
                area, finding.name, Text(finding.value), style="red" if finding.broken else ""
            )
        Console().print(table)
        broken = [finding.name for finding in found if finding.broken]
        if broken:
            return CommandResult(Exit.INCOMPLETE, f"cannot evaluate like this: {', '.join(broken)}")
        return CommandResult(Exit.OK, "the core works")


def examine(data: Path) -> Iterator[Finding]:
    """Yield everything worth knowing, the slow parts last."""
    yield from _system(data)
    yield from _packages()
    yield _decoding()
    yield from _engines()
    yield from _hub()
    yield from _benchmarks(data)


def _system(data: Path) -> Iterator[Finding]:
    yield Finding("system", "python", f"{platform.python_version()} at {sys.executable}")
    yield Finding("system", "platform", f"{platform.platform()}, {os.cpu_count()} CPUs")
    place = next(
        folder for folder in (data.absolute(), *data.absolute().parents) if folder.exists()
    )
    yield Finding("system", "free disk", f"{shutil.disk_usage(place).free / 1e9:.0f} GB at {place}")


def _packages() -> Iterator[Finding]:
    """List the core requirements, then what else can move a number."""
    from harness.run.manifest import installed_packages

    core = [re.split(r"[^\w.-]", text)[0] for text in requires(PROJECT) or [] if ";" not in text]
    for name in core:
        try:
            yield Finding("packages", name, version(name))
        except PackageNotFoundError:
            yield Finding("packages", name, f"missing; pip install {name}", broken=True)
    for name, found in installed_packages().items():
        if name not in core:
            yield Finding("packages", name, found)


def _decoding() -> Finding:
    """Write a clip and read it back through the code that evaluations use."""
    from harness.schema import FramePolicy, Media

    try:
        from harness.video.decode import decode

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clip.mp4"
            _write_clip(path)
            clip = decode(Media(path=path), FramePolicy(max_frames=4), patch_multiple=28)
    except (ImportError, MediaError, OSError, RuntimeError, ValueError) as error:
        return Finding("decoding", "test clip", f"{type(error).__name__}: {error}", broken=True)
    count, height, width, _ = clip.frames.shape
    return Finding("decoding", "test clip", f"{count} frames of {width} x {height} decoded")


def _write_clip(path: Path) -> None:
    import av
    import numpy as np

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.width = stream.height = 64
        for shade in range(0, 256, 16):
            picture = np.full((64, 64, 3), shade, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def _engines() -> Iterator[Finding]:
    for name in ("vllm", "transformers"):
        missing = f"not installed; pip install '{PROJECT}[{name}]'"
        yield Finding("engines", name, "installed" if find_spec(name) else missing)
    yield Finding("engines", "openai", "any OpenAI-compatible server, with --base-url")
    if find_spec("torch"):
        yield Finding("engines", "torch devices", _torch_devices())


def _torch_devices() -> str:
    """Ask another process: importing torch is slow, and a broken driver may end it."""
    command = [sys.executable, "-c", _TORCH_PROBE]
    try:
        probe = subprocess.run(command, capture_output=True, text=True, timeout=TORCH_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"torch did not answer within {TORCH_TIMEOUT_S:.0f} s"
    said = probe.stdout if probe.returncode == 0 else probe.stderr
    return (said.strip().splitlines() or [f"exit code {probe.returncode}"])[-1]


def _hub() -> Iterator[Finding]:
    from huggingface_hub import get_token

    yield Finding("hub", "token", "present" if get_token() else "none; gated data need HF_TOKEN")
    for name in HUB_VARIABLES:
        if name in os.environ:
            yield Finding("hub", name, os.environ[name])


def _benchmarks(data: Path) -> Iterator[Finding]:
    for name in sorted(registry.installed()):
        task = registry.get(name)
        folder = registry.data_folder(task, data)
        if not folder.is_dir():
            yield Finding("data", name, f"not at {folder}; `videor1 data fetch {name}` brings it")
            continue
        try:
            yield Finding("data", name, f"{len(task.load(folder).samples):,} items at {folder}")
        except UsageError as error:
            yield Finding("data", name, str(error))
