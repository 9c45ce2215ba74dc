"""``videor1 doctor``: show what this machine has: packages, decoders, engines, devices, data.

Exit code 4 means that no evaluation can work here: a core package is not installed, or a test clip
cannot be written and decoded; with --ray, that a node differs from this machine. A missing GPU,
engine or benchmark is normal and printed with what to do about it. The hub token is never printed.
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
from pathlib import Path

from harness.cli.exits import CommandResult, Exit
from harness.cli.flags import add_data_flag
from harness.errors import MediaError, UsageError
from harness.plugins import is_installed
from harness.task import registry

PROJECT = "videor1"
HUB_VARIABLES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_ENDPOINT", "HF_HOME")
TORCH_TIMEOUT_S = 120.0

_IMPORT_TIMEOUT_S = 120.0

_TORCH_PROBE = """\
import torch
names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
print(", ".join(names) or "no GPU visible, CPU only")
"""


@dataclass(frozen=True, slots=True)
class MachineFact:
    """One line of the report."""

    area: str
    name: str
    value: str
    broken: bool = False
    """Whether nothing can be evaluated on this machine because of it."""


class DoctorCommand:
    """The ``doctor`` command."""

    help = "show what this machine has: packages, decoders, devices, engines, data"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the data folder to look at."""
        add_data_flag(parser)
        parser.add_argument(
            "--ray",
            metavar="auto|HOST:PORT",
            help="compare every node of this Ray cluster with this machine instead",
        )
        parser.add_argument(
            "--checkpoint",
            metavar="CHECKPOINT",
            help="with --ray: also compare this checkpoint on every node",
        )

    def run(self, args: Namespace) -> CommandResult:
        """Print the facts area by area."""
        if args.ray is not None:
            from harness.cli.doctor_nodes import examine_nodes

            return examine_nodes(args.ray, args.data, args.checkpoint)
        if args.checkpoint is not None:
            raise UsageError("--checkpoint goes with --ray: it is compared between the nodes")
        from rich.table import Table
        from rich.text import Text

        from harness.text.console import make_console

        found = list(examine(args.data))
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(style="dim", no_wrap=True)
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        areas = [fact.area for fact in found]
        for position, fact in enumerate(found):
            area = fact.area if areas.index(fact.area) == position else ""
            table.add_row(area, fact.name, Text(fact.value), style="red" if fact.broken else "")
        make_console().print(table)
        broken = [fact.name for fact in found if fact.broken]
        if broken:
            reason = f"nothing can be evaluated on this machine: {', '.join(broken)}"
            return CommandResult(Exit.INCOMPLETE, reason)
        return CommandResult(Exit.OK, "the core packages and the video decoder work")


def examine(data: Path) -> Iterator[MachineFact]:
    """Yield one fact per line of the report, slow checks last."""
    yield from _system_facts(data)
    yield from _package_facts()
    yield _decoding_fact()
    yield from _engine_facts()
    yield from _hub_facts()
    yield from _benchmark_facts(data)


def _system_facts(data: Path) -> Iterator[MachineFact]:
    yield MachineFact("system", "python", f"{platform.python_version()} at {sys.executable}")
    yield MachineFact("system", "platform", f"{platform.platform()}, {os.cpu_count()} CPUs")
    place = next(
        folder for folder in (data.absolute(), *data.absolute().parents) if folder.exists()
    )
    yield MachineFact(
        "system", "free disk", f"{shutil.disk_usage(place).free / 1e9:.0f} GB at {place}"
    )


def _package_facts() -> Iterator[MachineFact]:
    """Yield the versions of core packages, then of others that can change a score."""
    from harness.run.machine import installed_packages

    core = [re.split(r"[^\w.-]", text)[0] for text in requires(PROJECT) or [] if ";" not in text]
    for name in core:
        try:
            yield MachineFact("packages", name, version(name))
        except PackageNotFoundError:
            yield MachineFact("packages", name, f"missing; pip install {name}", broken=True)
    for name, found in installed_packages().items():
        if name not in core:
            yield MachineFact("packages", name, found)


def _decoding_fact() -> MachineFact:
    """Write a clip and decode it with the code that evaluations use."""
    from harness.schema import FramePolicy, Media

    try:
        from harness.video.decode import decode

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clip.mp4"
            _write_clip(path)
            clip = decode(Media(path=path), FramePolicy(max_frames=4), patch_multiple=28)
    except (ImportError, MediaError, OSError, RuntimeError, ValueError) as error:
        return MachineFact("decoding", "test clip", f"{type(error).__name__}: {error}", broken=True)
    count, height, width, _ = clip.frames.shape
    return MachineFact("decoding", "test clip", f"{count} frames of {width} x {height} decoded")


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


def _engine_facts() -> Iterator[MachineFact]:
    for name in ("vllm", "transformers"):
        missing = f"not installed; pip install '{PROJECT}[{name}]'"
        if is_installed(name):
            yield MachineFact("engines", name, _why_import_fails(name) or "installed")
        else:
            yield MachineFact("engines", name, missing)
    yield MachineFact("engines", "openai", "any OpenAI-compatible server, with --base-url")
    if is_installed("torch"):
        yield MachineFact("engines", "torch devices", _torch_devices())


def _why_import_fails(module: str) -> str | None:
    """Import a package in another process; return its error where that fails, None else."""
    command = [sys.executable, "-c", f"import {module}"]
    try:
        probe = subprocess.run(command, capture_output=True, text=True, timeout=_IMPORT_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"installed, but its import takes more than {_IMPORT_TIMEOUT_S:.0f} s"
    if probe.returncode == 0:
        return None
    said = probe.stderr.strip().splitlines() or [f"exit code {probe.returncode}"]
    return f"installed, but it cannot be imported: {said[-1]}"


def _torch_devices() -> str:
    """Return the GPUs that torch sees.

    Another process imports torch: that is slow, and a broken driver may end the process.
    """
    command = [sys.executable, "-c", _TORCH_PROBE]
    try:
        probe = subprocess.run(command, capture_output=True, text=True, timeout=TORCH_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"torch did not answer within {TORCH_TIMEOUT_S:.0f} s"
    said = probe.stdout if probe.returncode == 0 else probe.stderr
    return (said.strip().splitlines() or [f"exit code {probe.returncode}"])[-1]


def _hub_facts() -> Iterator[MachineFact]:
    from huggingface_hub import get_token

    yield MachineFact(
        "hub", "token", "present" if get_token() else "none; gated data sets need HF_TOKEN"
    )
    for name in HUB_VARIABLES:
        if name in os.environ:
            yield MachineFact("hub", name, os.environ[name])


def _benchmark_facts(data: Path) -> Iterator[MachineFact]:
    for name in sorted(registry.installed()):
        task = registry.get(name)
        folder = registry.data_folder(task, data)
        if not folder.is_dir():
            yield MachineFact(
                "data", name, f"not at {folder}; `videor1 data fetch {name}` downloads it"
            )
            continue
        try:
            yield MachineFact("data", name, f"{len(task.load(folder).samples):,} items at {folder}")
        except UsageError as error:
            yield MachineFact("data", name, str(error))
