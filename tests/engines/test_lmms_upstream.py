"""Upstream tasks through our command and through lmms-eval's own, with one server behind both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("lmms_eval", reason="needs the heavy environment: lmms-eval is not installed")

import lmms_upstream as upstream

from harness.cli import main
from harness.run.plan import Plan
from harness.schema import Media
from tests.clips import write_clip
from tests.toys import engine_that_waits_for, planned, sample

TASKS = (upstream.VIDEO, upstream.IMAGE)

pytestmark = [pytest.mark.engine, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def tasks(tmp_path_factory) -> Path:
    """The folder of the tasks; no test here may look anything up on the hub."""
    folder = tmp_path_factory.mktemp("upstream")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("HF_HOME", str(folder / "home"))
        yield upstream.write_upstream(folder, folder / "home")


@pytest.fixture(scope="module")
def server() -> str:
    with upstream.answering() as url:
        yield url


@pytest.fixture(scope="module")
def own_metrics(tasks, server, tmp_path_factory) -> dict[str, float]:
    """What lmms-eval's command reports with its own model for OpenAI servers."""
    model = f"model_version=m,base_url={server},api_key=none,max_frames_num=4"
    return _lmms_eval(tasks, tmp_path_factory.mktemp("own"), "openai", model)


def test_our_command_reports_the_metrics_of_lmms_evals_own(tasks, server, own_metrics, tmp_path):
    """VideoMME and MMMU from question to metric, prompts, images and thinking tags included."""
    code = main([
        "eval", "m", "--tasks", ",".join(f"lmms:{name}" for name in TASKS), "--include-path",
        str(tasks), "--protocol", "official", "--backend", "openai", "--base-url", server,
        "--data", str(tmp_path / "data"), "--out", str(tmp_path / "run"), "--max-frames", "4",
    ])  # fmt: skip
    assert code == 0
    found = json.loads((tmp_path / "run" / "summary.json").read_text())["tasks"]
    ours = {name: found[f"lmms:{name}"]["extra"][upstream.METRIC[name]] for name in TASKS}
    assert ours == own_metrics
    assert 0 < min(ours.values()) <= max(ours.values()) < 100
    assert {name: found[f"lmms:{name}"]["n"] for name in TASKS} == upstream.ITEMS


def test_our_model_in_its_command_reports_the_same(tasks, server, own_metrics, tmp_path):
    """``lmms-eval --model videor1``, stopped after the first task's items and run again."""
    model = (
        f"pretrained=m,backend=openai,base_url={server},max_frames=4,out={tmp_path / 'kept'},"
        f"frame_cache={tmp_path / 'frames'},decode_timeout=60,workers=1"
    )
    first = _lmms_eval(tasks, tmp_path / "first", "videor1", model)
    assert first == own_metrics
    records = tmp_path / "kept" / "records-0.jsonl"
    kept = records.read_text().splitlines(keepends=True)
    records.write_text("".join(kept[:7]))
    assert _lmms_eval(tasks, tmp_path / "again", "videor1", model) == own_metrics
    assert records.read_text().splitlines(keepends=True)[:7] == kept[:7]
    assert len(records.read_text().splitlines()) == len(kept)
    decode = json.loads((tmp_path / "kept" / "summary.json").read_text())["timing"]["decode"]
    assert (decode["workers"], decode["decodes"]) == (1, 0)
    assert decode["cache_hits"] > 0


def test_our_model_decodes_while_its_engine_starts(tmp_path):
    """The engine's start waits here until the first frames are in the cache."""
    from tasks.lmms import model

    clip = write_clip(tmp_path / "clip.mp4")
    config = model._read_options({"frame_cache": str(tmp_path / "frames"), "workers": 1})
    plan = Plan((planned([sample(0, (Media(path=clip),))]),))
    engine = engine_that_waits_for(config.decode.frame_cache)
    records = model._answer(plan, engine, tmp_path / "run", config)
    assert [record.text for record in records.values()] == ["<answer>A</answer>"]


def _lmms_eval(tasks: Path, out: Path, model: str, arguments: str) -> dict[str, float]:
    command = [
        str(Path(sys.executable).with_name("lmms-eval")), "--model", model, "--model_args",
        arguments, "--tasks", ",".join(TASKS), "--include_path", str(tasks), "--output_path",
        str(out),
    ]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})
    assert ran.returncode == 0, ran.stderr[-2000:]
    (report,) = out.rglob("*_results.json")
    results = json.loads(report.read_text())["results"]
    return {name: results[name][f"{upstream.METRIC[name]},none"] for name in TASKS}
