"""``docs/examples/gate.yml`` runs as written: its commands, its files, what its steps refer to."""

import json
import os
import re
import shlex
import subprocess
import sys

import pytest

from harness.cli import commands, main
from tests.docs.pages import Block, videor1_commands
from tests.paths import ROOT
from tests.stub_server import Stub

yaml = pytest.importorskip("yaml")

FILE = ROOT / "docs" / "examples" / "gate.yml"
TEXT = FILE.read_text(encoding="utf-8")
WORKFLOW = yaml.safe_load(TEXT)
JOB = WORKFLOW["jobs"]["gate"]
STEPS = JOB["steps"]


def _shell_steps():
    return [step for step in STEPS if "run" in step]


def _step(name):
    return next(step for step in STEPS if step.get("name") == name)


def test_every_command_is_one_that_videor1_takes():
    """Parsed by the commands' own parsers, variables as the job has them."""
    found = []
    for step in _shell_steps():
        text = re.sub(r"^\s*for .*?; do (.*); done$", r"\1", step["run"], flags=re.MULTILINE)
        for name, *words in videor1_commands(Block(FILE, "bash", text)):
            parser = commands.Parser(prog=name, allow_abbrev=False)
            commands.entry_points()[name].load()().configure(parser)
            parser.parse_args(words)
            found.append(name)
    assert found == ["data", "eval", "gate", "report"]


def test_every_action_has_a_version_and_every_key_is_one_of_github():
    """A step runs a command or an action, never both; actions are pinned to a major version."""
    known = {"name", "id", "if", "uses", "with", "env", "run"}
    for step in STEPS:
        assert set(step) <= known, step
        assert ("run" in step) != ("uses" in step), step
        assert "uses" not in step or re.fullmatch(r"actions/[\w/-]+@v\d+", step["uses"]), step
    assert set(WORKFLOW[True]) == {"pull_request", "workflow_dispatch"}  # YAML reads `on` as true
    assert WORKFLOW["permissions"] == {"contents": "read"}


def test_expressions_refer_to_what_there_is():
    """Steps by their id, only the secrets and variables that the page names, files that exist."""
    page = (ROOT / "docs" / "gates.md").read_text(encoding="utf-8")
    ids = [step["id"] for step in STEPS if "id" in step]
    assert set(re.findall(r"steps\.(\w+)\.", TEXT)) <= set(ids)
    assert len(set(ids)) == len(ids)
    for kind, name in set(re.findall(r"\b(secrets|vars)\.(\w+)", TEXT)):
        assert f"{kind.removesuffix('s').replace('var', 'variable')} `{name}`" in page, name
    for path in re.findall(r"'videor1/([^']+)'", TEXT):
        assert (ROOT / path).exists(), path
    assert "BASELINE" in JOB["env"]
    assert f"`{JOB['env']['BASELINE']}`" in page


def test_secrets_reach_only_the_steps_that_need_them():
    """As variables of these steps, not in a command line, which the log shows."""
    with_secrets = [step.get("name") for step in STEPS if "secrets." in str(step.get("env"))]
    assert with_secrets == ["Fetch the data", "Evaluate the candidate"]
    assert not any("secrets." in step["run"] for step in _shell_steps())
    assert "secrets" not in str(JOB["env"])


def test_the_caches_are_saved_before_the_gate_can_fail():
    """A job that fails saves no cache of itself at its end."""
    names = [step.get("name") or step["uses"] for step in STEPS]
    saved = [n for n, name in enumerate(names) if name.startswith("actions/cache/save")]
    assert len(saved) == 2
    assert max(saved) < names.index("Evaluate the candidate")


@pytest.fixture(scope="module")
def job(demo_data, tmp_path_factory):
    """A working directory with the data and a baseline of the same server."""
    folder = tmp_path_factory.mktemp("job")
    (folder / "data").symlink_to(demo_data)
    (folder / "results/baselines").mkdir(parents=True)
    return folder


@pytest.fixture
def server():
    """A model that always answers A."""
    stub = Stub()
    yield stub
    stub.close()


def test_the_steps_run_as_they_are_written(job, server):
    """Evaluate, gate and report against a server that wants a key; nothing is replaced."""
    evaluate, gate = _step("Evaluate the candidate"), _step("Gate")
    _run(evaluate, job, MODEL_URL=server.url, MODEL_NAME="m", MODEL_KEY="k3y")
    assert set(server.authorizations) == {"Bearer k3y"}
    frozen = job / JOB["env"]["BASELINE"]
    assert main(["baseline", str(job / "run"), "-o", str(frozen)]) == 0
    _run(gate, job, codes=(0, 3))
    assert "## videor1 gate" in (job / "summary.md").read_text()
    assert json.loads((job / "gate.json").read_text())["tasks"]
    _run(_step("Write the report"), job)
    paths = STEPS[-1]["with"]["path"].split()
    assert [path for path in paths if not (job / path).exists()] == []


def test_a_server_without_a_key_needs_no_secret(job, server):
    """An unset secret is an empty variable, which is not taken for a key."""
    words = _step("Evaluate the candidate")["run"].replace("--out run", "--limit 8 --out keyless")
    _run({"run": words}, job, MODEL_URL=server.url, MODEL_NAME="m", MODEL_KEY="")
    assert "Bearer " not in server.authorizations


def _run(step, folder, codes=(0,), **variables):
    """Run a step as the shell of a workflow does, with ``videor1`` on the path."""
    (folder / "bin").mkdir(exist_ok=True)
    program = folder / "bin" / "videor1"
    program.write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m harness "$@"\n', encoding="utf-8"
    )
    program.chmod(0o755)
    env = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    env |= JOB["env"] | variables
    env |= {
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
    }
    shell = ["bash", "-e", "-o", "pipefail", "-c", step["run"]]
    done = subprocess.run(shell, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode in codes, done.stdout + done.stderr
