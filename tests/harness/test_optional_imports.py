"""An optional package is absent, or it is broken; the message never takes one for the other."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.plugins import importing, is_installed, require
from tests.paths import ROOT

BROKEN = {
    "ImportError": "raise ImportError('libcudart.so.13: cannot open shared object file')",
    "OSError": "raise OSError('libtorch_cpu.so: undefined symbol')",
    "AttributeError": "import os; os.no_such_name",
    "RuntimeError": "raise RuntimeError('operator torchvision::nms does not exist')",
    "SyntaxError": "def broken(:",
    "ModuleNotFoundError": "import a_module_that_nobody_has",
    "KeyError": "{}['x']",
}


def write_package(folder: Path, name: str, code: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(code + "\n", encoding="utf-8")


@pytest.mark.parametrize("kind", BROKEN)
def test_a_package_whose_import_fails_is_reported_with_its_own_error(tmp_path, monkeypatch, kind):
    """It is there, so it is not called "not installed"."""
    name = f"broken_{kind.lower()}"
    write_package(tmp_path, name, BROKEN[kind])
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError) as caught:
        require(name, "vllm")
    assert is_installed(name)
    assert f"{name} is installed but cannot be imported: {kind}: " in str(caught.value)
    assert "not installed" not in str(caught.value)


def test_a_missing_package_is_named_with_what_installs_it():
    """The extra of this project, or the package itself."""
    with pytest.raises(UsageError, match=r"no_such is not installed.*'videor1\[train\]'"):
        require("no_such", "train")
    with pytest.raises(UsageError, match=r"no-such is not installed.*pip install no-such$"):
        require("no_such", None, "no-such")


def test_a_name_that_a_package_has_lost_is_its_error():
    """Another release of it is installed."""
    with (
        pytest.raises(UsageError, match=r"json is installed but .*cannot import name 'nothing'"),
        importing("json", "vllm"),
    ):
        from json import nothing  # noqa: F401


def test_the_cause_of_a_lazy_import_is_told(tmp_path, monkeypatch):
    """Transformers wraps the error of torch into one of its own."""
    code = (
        "try:\n    raise OSError('libcudnn.so.9: no such file')\n"
        "except OSError as error:\n"
        "    raise RuntimeError('Failed to import models.auto') from error"
    )
    write_package(tmp_path, "lazy_package", code)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match=r"models\.auto; caused by OSError: libcudnn\.so\.9"):
        require("lazy_package", "transformers")


@pytest.mark.parametrize("package", ["torch", "vllm"])
def test_a_broken_engine_ends_an_evaluation_with_its_own_error(demo_data, tmp_path, package):
    """Exit 2 with the error of the import, in a dry run, too; the run directory is not begun."""
    for name in ("torch", "transformers", "vllm"):
        broken = "raise OSError('libfoo.so.1: cannot open shared object file')"
        write_package(tmp_path / "site", name, broken if name == package else "")
    backend = "vllm" if package == "vllm" else "transformers"
    done = subprocess.run(
        [
            sys.executable, "-m", "harness", "eval", str(ROOT / "tasks/motionworld/trained"),
            "--data", str(demo_data), "--tasks", "vsibench",
            "--backend", backend, "--dry-run",
        ],
        env={"PYTHONPATH": f"{tmp_path / 'site'}:{ROOT}", "PATH": ""},
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert f"{package} is installed but cannot be imported: OSError: libfoo.so.1" in last


@pytest.mark.parametrize("damage", ["cut weights", "empty config", "patch size 0", "template"])
def test_a_damaged_checkpoint_is_told_without_an_engine(demo_data, tmp_path, capsys, damage):
    """A dry run on a machine that has neither torch nor an engine."""
    from harness.cli import main

    folder = Path(shutil.copytree(ROOT / "tasks/motionworld/trained", tmp_path / "ck"))
    for path in folder.iterdir():
        path.chmod(0o644 if path.is_file() else 0o755)
    match damage:
        case "cut weights":
            os.truncate(folder / "model.safetensors", 3_000_000)
            named = "model.safetensors is cut short (3,000,000 of 6,645,552 bytes)"
        case "empty config":
            (folder / "config.json").write_text("")
            named = "config.json: not valid JSON: it is empty"
        case "patch size 0":
            config = (folder / "config.json").read_text()
            changed = config.replace('"patch_size": 14', '"patch_size": 0')
            (folder / "config.json").write_text(changed)
            named = "vision_config.patch_size: expected a whole number above 0, got 0"
        case _:
            (folder / "chat_template.jinja").write_bytes(b"\xff\xfe")
            named = "chat_template.jinja: cannot be read as text"
    argv = ["eval", str(folder), "--data", str(demo_data), "--tasks", "vsibench", "--dry-run"]
    assert main([*argv, "--backend", "transformers"]) == 2
    assert named in " ".join(capsys.readouterr().err.split())
