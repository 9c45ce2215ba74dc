"""The files of ``docs/many_gpus.md`` are whole: scripts that a shell reads, commands that exist."""

import re
import shlex
import subprocess

import pytest

from harness.cli import commands
from tests.docs.pages import Block, blocks, videor1_commands
from tests.paths import ROOT

yaml = pytest.importorskip("yaml")

PAGE = ROOT / "docs" / "many_gpus.md"
SBATCH = ROOT / "docs" / "examples" / "many_gpus.sbatch"
SCRIPT = SBATCH.read_text(encoding="utf-8")
JOB = yaml.safe_load((ROOT / "docs" / "examples" / "many_gpus_rayjob.yaml").read_text())
CLUSTER = JOB["spec"]["rayClusterSpec"]
SBATCH_OPTIONS = {
    "job-name", "nodes", "ntasks-per-node", "gpus-per-node", "cpus-per-task", "exclusive", "time",
    "signal", "output",
}  # fmt: skip
"""Options of sbatch that the script uses (https://slurm.schedmd.com/sbatch.html)."""


def _parse(words):
    name, *rest = words
    parser = commands.Parser(prog=f"videor1 {name}", allow_abbrev=False)
    commands.entry_points()[name].load()().configure(parser)
    return parser.parse_args(rest)


def _containers():
    groups = [CLUSTER["headGroupSpec"], *CLUSTER["workerGroupSpecs"]]
    return [one for group in groups for one in group["template"]["spec"]["containers"]]


def test_bash_reads_the_slurm_script_and_the_blocks_of_the_page():
    """Also the script inside it, which srun runs on every node."""
    inner = re.search(r"bash -c '\n(.*?)\n'", SCRIPT, re.DOTALL)[1]
    for text in (SCRIPT, inner, *(block.text for block in blocks(PAGE, "bash"))):
        done = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_the_slurm_script_asks_for_one_task_per_node_and_a_signal_before_the_end():
    """TERM goes to the batch script alone, which hands it to the evaluation."""
    options = dict(
        re.match(r"#SBATCH --([\w-]+)=?(.*)", line).groups()
        for line in SCRIPT.splitlines()
        if line.startswith("#SBATCH")
    )
    assert set(options) == SBATCH_OPTIONS
    assert options["ntasks-per-node"] == "1"
    assert options["signal"] == "B:TERM@120"


def test_the_slurm_script_runs_one_evaluation_on_all_gpus_and_ends_with_its_code(tmp_path):
    """Run with stand-ins for SLURM, Ray and videor1: the driver gets TERM, the job its code."""
    stand_ins = {
        "srun": "exec sleep 60",
        "python": "echo 2",
        "openssl": "echo secret",
        "hostname": "echo 10.0.0.1",
        "videor1": f'echo "$@" > {tmp_path}/called\n'
        "trap 'exit 130' TERM\nkill -TERM $PPID\nfor _ in $(seq 200); do sleep 0.05; done",
    }
    for name, text in stand_ins.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        ["bash", SBATCH, "org/model", "vsibench"],
        env={
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "SLURM_JOB_ID": "7",
            "SLURM_JOB_NUM_NODES": "2",
            "OUT": "out",
            "DATA": "data",
        },
        cwd=tmp_path,
        timeout=60,
    )
    assert done.returncode == 130
    found = _parse(shlex.split((tmp_path / "called").read_text()))
    assert (found.checkpoint, found.ray, found.replicas) == ("org/model", "10.0.0.1:20007", "all")


def test_the_ray_job_runs_one_evaluation_on_the_volume_that_all_pods_have():
    """Its command exists, and every path of it is on the shared volume."""
    [words] = videor1_commands(Block(PAGE, "bash", JOB["spec"]["entrypoint"]))
    found = _parse(words)
    assert (found.ray, found.replicas) == ("auto", "all")
    mounts = [
        {mount["name"]: mount["mountPath"] for mount in one["volumeMounts"]}
        for one in _containers()
    ]
    assert mounts == [{"shared": "/shared", "memory": "/dev/shm"}] * 2
    paths = [word for word in words if word.startswith("/")]
    assert len(paths) == 3
    assert all(path.startswith("/shared/") for path in paths)


def test_head_and_workers_of_the_ray_job_have_one_image_and_the_head_no_gpu():
    """Nodes that differ are refused, and a replica on the head would have no GPU."""
    assert (JOB["apiVersion"], JOB["kind"]) == ("ray.io/v1", "RayJob")
    assert len({one["image"] for one in _containers()}) == 1
    assert CLUSTER["headGroupSpec"]["rayStartParams"]["num-gpus"] == "0"
    gpus = [one["resources"]["limits"].get("nvidia.com/gpu") for one in _containers()]
    assert gpus == [None, "8"]
