"""The shared cases about checkpoints and trainings; they need torch and transformers."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from harness.schema import FramePolicy, Media, MediaKind
from harness.video.decode import decode
from tests.faults.cases import CASES, Case, Done, Found, all_of, ends_with, run_process
from tests.faults.cases_files import DATA
from tests.faults.train_kill import compare_killed
from tests.paths import ROOT

TRAIN = CASES / "train"
CHECKPOINT = ROOT / "tasks" / "motionworld" / "trained"
_DRY = ("--dry-run", "--set", "optim.per_device_train_batch_size=8")
_BAD_ROW = "exit 2 with the row named"


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield Case("eval/checkpoint_template_in_tokenizer_config",
               "the tokenizer's template is used: texts equal the original's",
               _template, heavy=True)  # fmt: skip
    yield Case("eval/checkpoint_truncated_weights", "exit 2 or 4 with the file named",
               lambda folder: _refuse(folder, "model.safetensors"), heavy=True)  # fmt: skip
    yield Case("faults/checkpoints", "config.json empty, cut or absurd: exit 2 in a dry run",
               lambda folder: _refuse(folder, "config.json"), heavy=True)  # fmt: skip
    yield Case("train/image_16bit_white", "scaled to 8 bits, or refused", _ramp)
    for name, right, code, parts in (
        ("blind_declared_medium", _BAD_ROW, 2, ("rows.json", "path")),
        ("gold_never_rewarded_nonlatin", "rows that cannot earn are named", 2, ("rows.json",)),
        ("lone_surrogate", _BAD_ROW, 2, ("rows.json",)),
        ("vision_token_in_problem", _BAD_ROW, 2, ("rows.json", "video_pad")),
    ):
        yield Case(f"train/{name}", right,
                   lambda folder, name=name, code=code, parts=parts: ends_with(
                       _train(folder, name, "tgrpo", *_DRY), code, *parts),
                   heavy=True)  # fmt: skip
    yield Case("train/absolute_path_inside_root", "accepted when inside a root", _absolute, True)
    yield Case("train/option_labels_doubled", "labels recognised, or refused", _labels, True)
    yield Case("train/same_stem", "two files of one name are two files", _same_stem, True)
    yield Case("train/lora_targets_traceback", "exit 2 with the valid names", _lora, True)
    yield Case("train/disk_full_traceback", "no traceback; checkpoint and way on", _disk, True)
    yield Case("train/nan_is_reported_as_trained",
               "stops, names update and good checkpoint, saves no NaN", _nan, True)  # fmt: skip
    yield Case("train/nothing_learnt_all_media_unreadable", "exit 4 with counts", _unread, True)
    yield Case("train/resume_in_later_epoch", "rollouts, metrics, weights equal", _resume, True)


@cache
def _world() -> Path:
    """Draw the clips that rows name, once for all cases; the system sweeps its temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="videor1-cases-"))
    done = run_process("world", "--out", folder / "world", at=folder)
    assert done.code == 0, done.errors
    return folder / "world"


def _train(
    folder: Path, name: str, algorithm: str, *words: object, roots: Path | None = None
) -> Done:
    values = {
        "model.checkpoint": CHECKPOINT,
        "optim.per_device_train_batch_size": 16,
        "optim.max_steps": 4,
        "optim.save_steps": 2,
        "data.media_roots": roots or _world(),
        "data.rows": TRAIN / name / "rows.json",
        "data.check": "decode",
    }
    sets = [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
    out = () if "--out" in words else ("--out", folder / "out")
    return run_process("train", algorithm, "--config", "tiny", *sets, *words, *out, at=folder)


def _evaluate(folder: Path, checkpoint: Path, *words: object) -> Done:
    return run_process(
        "eval", checkpoint, "--data", DATA, "--tasks", "vsibench", "--limit", "2", "--backend",
        "transformers", "--workers", "1", "--max-pixels", "18816", *words, at=folder,
    )  # fmt: skip


def _copy_checkpoint(folder: Path) -> Path:
    shutil.copytree(CHECKPOINT, folder / "ck")
    for path in (folder / "ck").iterdir():
        path.chmod(0o644)
    return folder / "ck"


def _template(folder: Path) -> Found:
    changed = _copy_checkpoint(folder)
    config = json.loads((changed / "tokenizer_config.json").read_text())
    config["chat_template"] = (changed / "chat_template.jinja").read_text()
    (changed / "chat_template.jinja").unlink()
    (changed / "tokenizer_config.json").write_text(json.dumps(config))
    texts = {}
    for name, checkpoint in (("moved", changed), ("original", CHECKPOINT)):
        done = _evaluate(folder, checkpoint, "--out", name)
        if done.code:
            return Found(f"{name}: {done.last}", False)
        lines = (folder / name / "records-0.jsonl").read_text().splitlines()
        texts[name] = sorted((one["id"], one["text"]) for one in map(json.loads, lines))
    same = texts["moved"] == texts["original"]
    return Found(f"{len(texts['moved'])} texts, {'equal' if same else 'different'}", same)


def _refuse(folder: Path, name: str) -> Found:
    """Damage a file of a checkpoint in a few ways; a dry run has to refuse each."""
    checkpoint = _copy_checkpoint(folder)
    path = checkpoint / name
    whole = path.read_bytes()
    changes = {"cut": whole[: len(whole) // 2], "empty": b""}
    if name == "config.json":
        changes["patch size 0"] = whole.replace(b'"patch_size": ', b'"patch_size": 0, "x": ')
    found = {}
    for change, content in changes.items():
        assert content != whole
        path.write_bytes(content)
        done = _evaluate(folder, checkpoint, "--out", "r", "--dry-run")
        found[change] = ends_with(done, 2, name)
    return all_of(found)


def _ramp(folder: Path) -> Found:
    media = Media(path=TRAIN / "image_16bit_white" / "ramp16.png", kind=MediaKind.IMAGE)
    frames = decode(media, FramePolicy(), patch_multiple=28).frames
    gives = f"a ramp of mean {frames.mean():.1f}, {frames.min()} to {frames.max()}"
    return Found(gives, 120 < frames.mean() < 135)


def _absolute(folder: Path) -> Found:
    world = _world()
    rows = (TRAIN / "absolute_path_inside_root" / "rows.json").read_text()
    (folder / "rows.json").write_text(rows.replace("/data/results/world", str(world)))
    words = (*_DRY, "--set", f"data.rows={folder / 'rows.json'}")
    return ends_with(_train(folder, "absolute_path_inside_root", "tgrpo", *words), 0)


def _labels(folder: Path) -> Found:
    """Look at the options without their labels; the gold of row 2 is none of its own options."""
    from trainer.data.rows import TrainingRow, parse_rows

    done = _train(folder, "option_labels_doubled", "tgrpo", *_DRY)
    rows = parse_rows([TRAIN / "option_labels_doubled" / "rows.json"], [_world()])
    options = [row.sample.options for row in rows if isinstance(row, TrainingRow)]
    found = ends_with(done, 2, "row 2", "got 'D'")
    return Found(f"options {options}; {found.gives}",
                 found.holds and options == [("left", "right")] * 2)  # fmt: skip


def _same_stem(folder: Path) -> Found:
    paths = [str(TRAIN / "same_stem" / name / "rows.json") for name in "ab"]
    words = (*_DRY, "--set", f"data.rows={json.dumps(paths)}")
    done = _train(folder, "same_stem", "tgrpo", *words)
    counted = sum(len(json.loads(Path(path).read_text())) for path in paths)
    found = ends_with(done, 0)
    return Found(f"{counted} rows in two files; {found.gives}", found.holds)


def _lora(folder: Path) -> Found:
    found = {}
    for target in ("no_such_proj", "lm_head"):
        done = _train(folder, "lora_targets_traceback", "grpo", "--set", "model.lora.r=4", "--set",
                      f"model.lora.target_modules={target}", "--out", folder / target)  # fmt: skip
        found[target] = ends_with(done, 2, target, "it has down_proj")
    return all_of(found)


def _disk(folder: Path) -> Found:
    place = folder / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(place)], check=True)
    try:
        done = _train(folder, "disk_full_traceback", "tgrpo", "--out", place / "run")
        return ends_with(done, 4, "checkpoint-2", "with room on the disk")
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _nan(folder: Path) -> Found:
    sets = {
        "optim.per_device_train_batch_size": 4, "optim.max_steps": 6, "optim.save_steps": 1,
        "optim.logging_steps": 1, "optim.learning_rate": 1e8, "optim.lr_scheduler_type": "constant",
        "optim.warmup_steps": 0, "optim.max_grad_norm": 1e9,
    }  # fmt: skip
    words = [word for key, value in sets.items() for word in ("--set", f"{key}={value}")]
    done = _train(folder, "nan_is_reported_as_trained", "sft", *words)
    from safetensors.torch import load_file

    saved = sorted((folder / "out").glob("checkpoint-*/model.safetensors"))
    finite = all(bool(one.isfinite().all()) for path in saved for one in load_file(path).values())
    found = ends_with(done, 4, "update")
    return Found(f"{found.gives} {len(saved)} checkpoints, {'finite' if finite else 'NaN'}",
                 found.holds and finite and "NaN" not in _metrics(folder))  # fmt: skip


def _metrics(folder: Path) -> str:
    path = folder / "out" / "metrics.jsonl"
    return path.read_text() if path.exists() else ""


def _unread(folder: Path) -> Found:
    name = "nothing_learnt_all_media_unreadable"
    found = {}
    for algorithm in ("tgrpo", "grpo", "sft"):
        done = _train(folder, name, algorithm, "--set", "data.check=exists", "--set",
                      "optim.max_steps=3", "--out", folder / algorithm,
                      roots=TRAIN / name / "media")  # fmt: skip
        found[algorithm] = ends_with(done, 4, "failed")
    return all_of(found)


def _resume(folder: Path) -> Found:
    (folder / "world").symlink_to(_world())
    shutil.copyfile(TRAIN / "resume_in_later_epoch" / "rows.json", folder / "rows.json")
    differs = {
        algorithm: compare_killed(folder, algorithm, [7], signal.SIGKILL)
        for algorithm in ("grpo", "tgrpo")
    }
    gives = "; ".join(f"{name}: {found or 'equal'}" for name, found in differs.items())
    return Found(gives, not any(differs.values()))
