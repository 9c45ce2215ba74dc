"""The whole command on real engines: any checkpoint, real videos, a damaged one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.cli import main
from harness.run.store import read_records
from harness.schema import Outcome
from tests.paths import SHARED

pytest.importorskip("torch", reason="needs the heavy environment: torch is not installed")

REAL = SHARED / "data" / "videos"
CLIPS = ("pancake.mkv", "video1.mp4", "yoga.mp4", "corrupted.mp4")
FLAGS = ("--max-frames", "8", "--max-pixels", "50176")
OWN_FLAGS = {"vllm": ("--max-model-len", "4096"), "transformers": ()}
"""What only one engine has; the other one refuses it."""

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
    pytest.mark.usefixtures("small_cpu_cache"),
]
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real clips in {REAL}")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Three questions about each real clip, in VSI-Bench's layout."""
    folder = tmp_path_factory.mktemp("real")
    videos = folder / "vsibench" / "scannet"
    videos.mkdir(parents=True)
    rows = []
    for clip in CLIPS:
        (videos / f"{Path(clip).stem}.mp4").symlink_to(REAL / clip)
        for question in ("How many people are there?", "How many tables?", "How many plates?"):
            rows.append({
                "id": len(rows),
                "dataset": "scannet",
                "scene_name": Path(clip).stem,
                "question_type": "object_counting",
                "question": question,
                "options": None,
                "ground_truth": "1",
            })  # fmt: skip
    (videos.parent / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@needs_real
@pytest.mark.parametrize("backend", ["transformers", "vllm"])
def test_a_damaged_video_costs_its_own_items_only(data, checkpoint_of, tmp_path, capsys, backend):
    """Items on good clips are scored, those on the damaged one FAILED with the reason, exit 4."""
    pytest.importorskip(backend, reason=f"needs the heavy environment: {backend} is not installed")
    code = main([
        "eval", str(checkpoint_of("qwen2_5_vl").path), "--data", str(data), "--tasks", "vsibench",
        "--protocol", "official", "--backend", backend, "--out", str(tmp_path), *FLAGS,
        *OWN_FLAGS[backend],
    ])  # fmt: skip
    assert code == 4
    records = read_records(tmp_path)
    failed = [record for record in records if record.outcome is Outcome.FAILED]
    assert len(records) == 12
    assert {record.cluster for record in failed} == {"scannet/corrupted"}
    assert len(failed) == 3
    assert all("frames can be decoded" in record.failure.message for record in failed)
    assert all(record.text is not None for record in records if record not in failed)
    assert "corrupted.mp4" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("backend", "name"),
    [
        ("transformers", "qwen2_5_vl"),
        ("transformers", "qwen2_vl"),
        ("transformers", "qwen3_vl"),
        ("transformers", "llava_onevision"),
        ("transformers", "language_adapter"),
        ("vllm", "qwen2_5_vl"),
        ("vllm", "qwen3_vl"),
        ("vllm", "language_adapter"),
    ],
)
def test_any_checkpoint_is_evaluated_on_all_four_benchmarks(
    demo_data, checkpoint_of, tmp_path, backend, name
):
    """Qwen-VL models, another family and a LoRA adapter all run through the one command."""
    pytest.importorskip(backend, reason=f"needs the heavy environment: {backend} is not installed")
    checkpoint = checkpoint_of(name)
    code = main([
        "eval", str(checkpoint.adapter or checkpoint.path), "--data", str(demo_data),
        "--protocol", "official", "--limit", "2", "--max-frames", "4", "--max-pixels", "18816",
        "--backend", backend, "--out", str(tmp_path), *OWN_FLAGS[backend],
    ])  # fmt: skip
    assert code == 0
    records = read_records(tmp_path)
    assert len(records) == 8
    assert all(record.text is not None and record.output_tokens > 0 for record in records)
    assert main(["board", str(tmp_path)]) == 0
    patch_multiple = checkpoint.patch_multiple
    assert all(
        side % patch_multiple == 0 for r in records for size in r.frame_size for side in size
    )


def test_a_checkpoint_without_processor_is_refused(demo_data, checkpoint_of, tmp_path, capsys):
    """Exit 2 names the missing part before an engine starts or a run directory is made."""
    folder = Path(shutil.copytree(checkpoint_of("qwen2_5_vl").path, tmp_path / "checkpoint"))
    (folder / "processor_config.json").unlink()
    out = tmp_path / "run"
    assert main(["eval", str(folder), "--data", str(demo_data), "--out", str(out)]) == 2
    assert "no processor config" in capsys.readouterr().err
    assert not out.exists()
