"""Nodes of a real Ray cluster that differ from the driver are named before the first item."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cli import main
from harness.run.store import read_records
from tasks.motionworld.folder import write_test_split
from tasks.motionworld.trained import CHECKPOINT, card
from tests.paths import ROOT

pytest.importorskip("ray", reason="needs the heavy environment: Ray is not installed")

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]
_STORE = 80 << 20
_HIDE = """\
import os
_stat = os.stat
def stat(path, *args, **kwargs):
    if str(path) == {path!r}:
        raise FileNotFoundError(2, "hidden", path)
    return _stat(path, *args, **kwargs)
os.stat = stat
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A folder with the shipped checkpoint and a benchmark's data."""
    folder: Path = tmp_path_factory.mktemp("home")
    shutil.copytree(CHECKPOINT, folder / "checkpoint")
    trained_on = card()
    write_test_split(folder / "data", trained_on["world_seed"], trained_on["aspects"])
    return folder


@pytest.fixture(scope="module")
def at_home(home) -> Iterator[Path]:
    """The driver's home, in which ``~/checkpoint`` is the shipped one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        yield home


@pytest.fixture(scope="module")
def other_home(home, tmp_path_factory) -> Path:
    """The home of another node, whose checkpoint has another chat template."""
    folder: Path = tmp_path_factory.mktemp("other")
    shutil.copytree(home / "checkpoint", folder / "checkpoint")
    with (folder / "checkpoint" / "chat_template.jinja").open("a") as file:
        file.write("{# edited #}")
    return folder


@pytest.fixture(scope="module")
def hidden(home) -> Path:
    """A video that one node lacks."""
    return min((home / "data").rglob("*.mp4"))


@pytest.fixture(scope="module")
def address(at_home, other_home, hidden, tmp_path_factory) -> Iterator[str]:
    """A cluster of three nodes: one without a video, one with another PyAV, one checkpoint."""
    from ray.cluster_utils import Cluster

    packages = tmp_path_factory.mktemp("packages")
    (packages / "av-1.2.3.dist-info").mkdir()
    metadata = "Metadata-Version: 2.1\nName: av\nVersion: 1.2.3\n"
    (packages / "av-1.2.3.dist-info" / "METADATA").write_text(metadata)
    custom = {
        "hiding": _HIDE.format(path=str(hidden)),
        "homing": f"import os\nos.environ['HOME'] = {str(other_home)!r}\n",
    }
    for name, code in custom.items():
        (packages / name).mkdir()
        (packages / name / "sitecustomize.py").write_text(code)
    head = {"num_cpus": 0, "object_store_memory": _STORE, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        for first in (packages / "hiding", packages, packages / "homing"):
            path = os.pathsep.join([str(first), os.environ.get("PYTHONPATH", str(Path.cwd()))])
            cluster.add_node(num_cpus=1, object_store_memory=_STORE, env_vars={"PYTHONPATH": path})
        cluster.wait_for_nodes()
        yield cluster.address
    finally:
        cluster.shutdown()


def test_three_nodes_that_differ_end_the_run_before_its_first_item(
    address, at_home, hidden, tmp_path, capfd
):
    """A file, a version and a checkpoint: each named with its node in one go, exit 2."""
    code = main([
        "eval", "~/checkpoint", "--backend", "vllm", "--tasks", "motionworld",
        "--data", str(at_home / "data"), "--out", str(tmp_path / "run"),
        "--ray", address, "--replicas", "3",
    ])  # fmt: skip
    said = capfd.readouterr().err
    assert code == 2, said
    differences = sorted(re.findall(r"node \S+ \(.*?\): (.*?);", said))
    assert len(differences) == 3, said
    assert differences[0].startswith("1 media are missing or not readable: ")
    assert differences[0].endswith(hidden.name)
    assert differences[1] == "another checkpoint than here: other chat_template"
    assert differences[2].startswith("av is 1.2.3, here ")
    assert read_records(tmp_path / "run") == []


def test_doctor_shows_the_same_per_node(address, at_home, hidden, capfd):
    """One row per node, the head included; exit 4."""
    code = main([
        "doctor", "--ray", address, "--data", str(at_home / "data"),
        "--checkpoint", "~/checkpoint",
    ])  # fmt: skip
    captured = capfd.readouterr()
    assert code == 4, captured.err
    shown = " ".join(captured.out.split())
    assert "av is 1.2.3" in shown
    assert "other chat_template" in shown
    assert "missing or not readable" in shown
    assert "as here" in shown
    assert "3 of 4 nodes differ" in " ".join(captured.err.split()) + shown


@pytest.mark.parametrize("name", ["many_gpus.md", "examples/many_gpus.sbatch"])
def test_the_flags_of_ray_start_in_the_documentation_exist(name):
    """The page starts clusters by SSH, the script in a SLURM allocation."""
    from ray.scripts.scripts import start

    known = {flag for parameter in start.params for flag in parameter.opts}
    text = (ROOT / "docs" / name).read_text(encoding="utf-8").replace("\\\n", " ")
    used = {flag for line in re.findall(r"ray start (--.*)", text)
            for flag in re.findall(r"(?<!\S)--[\w-]+", line)}  # fmt: skip
    assert "--address" in used
    assert used <= known
