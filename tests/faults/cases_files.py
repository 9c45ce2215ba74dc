"""The shared cases about files that come back, hostile texts and command lines."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from harness.run.store import read_records
from tests.faults.cases import CASES, Case, Done, Found, all_of, ends_with, run, run_process
from tests.harness.server.raw_server import RawServer, http, once
from tests.paths import ROOT

FAULTS = CASES / "faults"
DATA, BASELINE, SOUND = (FAULTS / "_base" / name for name in ("data", "base.parquet", "run"))
_RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_REFUSED_RUNS = ("manifest_badutf8", "manifest_deep", "manifest_hugeint", "manifest_list",
                 "manifest_nodata", "records_nan", "records_text_list", "records_value100",
                 "records_value_str")  # fmt: skip
_REFUSED = "exit 2 with the file named"
_EVAL = ("eval", "x", "--data", DATA, "--backend", "fake", "--workers", "1")
_SECRET = "SECRETSECRET"


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for name in ("deep", "path_dir", "path_long"):
        yield Case(f"faults/annotate/{name}.json", "exit 2 with file and row named",
                   lambda folder, name=name: _annotate(name, folder))  # fmt: skip
    for path in sorted((FAULTS / "baseline_files").glob("*.parquet")):
        yield Case(f"faults/baseline_files/{path.name}", _REFUSED,
                   lambda folder, path=path: _gate_baseline(path, folder))  # fmt: skip
    for name in ("deep", "id_surr", "scene_long", "mvbench_cand40.json",
                 "test-00000-of-00001.parquet"):  # fmt: skip
        right = "stored with a replacement character" if name == "id_surr" else _REFUSED
        yield Case(f"faults/data/{name}", right, lambda folder, name=name: _ask(name, folder))
    for name in _REFUSED_RUNS:
        yield Case(f"faults/{name}", f"{_REFUSED} by gate, baseline, rescore, board and eval",
                   lambda folder, name=name: _refuse_run(name, folder))  # fmt: skip
    yield Case(
        "faults/records_category_markup", "the category is shown as [bold]rain", _markup, long=True
    )
    yield Case("faults/records_esc_answer", "no escape reaches the terminal", _escapes)
    yield Case("faults/records_hostile_id", "ids are escaped in Markdown and JUnit", _hostile_id)
    yield Case("faults/records_surrogate", "read, scored again and frozen", _surrogate)
    for name in ("deep", "huge"):
        yield Case(f"faults/policy/{name}.toml", _REFUSED,
                   lambda folder, name=name: _gate_policy(name, folder))  # fmt: skip
    for name in ("bigfield", "nan", "inf", "neg", "huge"):
        yield Case(f"faults/published/{name}.csv", _REFUSED,
                   lambda folder, name=name: _publish(name, folder))  # fmt: skip
    for name in ("esc", "formula"):
        yield Case(f"faults/published/{name}.csv", "shown as text in every format",
                   lambda folder, name=name: _publish_text(name, folder))  # fmt: skip
    for name in ("deep", "deepin", "hugeint"):
        yield Case(f"faults/score/{name}.jsonl", _REFUSED,
                   lambda folder, name=name: _score(name, folder))  # fmt: skip
    yield Case("faults/score/surr.jsonl", "scored and stored", _score_surrogate)
    yield Case("faults/one_liners: disk full", "exit 4, no traceback", _full_disk, long=True)
    yield Case("faults/one_liners: gate | true", "the verdict's exit code", _closed_pipe, long=True)
    yield Case(
        "faults/one_liners: ascii output", "exit 0, replaced characters", _ascii_output, long=True
    )
    yield Case("faults/one_liners: flags", "exit 2 with the flag named", _flags)
    yield Case("faults/one_liners: keys", "exit 2, the key is not printed", _keys)
    yield Case(
        "faults/one_liners: a file for a run", "exit 2, told what is expected", _file_for_run
    )


def _annotate(name: str, folder: Path) -> Found:
    return ends_with(
        run("annotate", "--rows", FAULTS / "annotate" / f"{name}.json", "--media-root",
            DATA / "vsibench" / "scannet", "--checkpoint", "x", "--backend", "fake", "--out",
            "o.json", at=folder), 2, f"{name}.json",
    )  # fmt: skip


def _gate_baseline(path: Path, folder: Path) -> Found:
    words = ("gate", path, SOUND, "--junit", "j.xml", "--summary", "s.md")
    return ends_with(run(*words, at=folder), 2, path.name)


def _ask(name: str, folder: Path) -> Found:
    """Put a question file in its place in the data, and evaluate a few questions."""
    shutil.copytree(DATA, folder / "d", copy_function=os.link)
    source = FAULTS / "data" / name
    task = "mvbench" if name.startswith("mvbench") else "vsibench"
    place = folder / "d" / "vsibench" / "test.jsonl"
    if source.is_dir():
        source /= "test.jsonl"
    elif task == "mvbench":
        place = folder / "d" / "mvbench" / "json" / "moving_direction.json"
    else:
        place.unlink()
        place = place.with_name(name)
    place.unlink(missing_ok=True)
    shutil.copyfile(source, place)
    done = run("eval", "x", "--data", "d", "--backend", "fake", "--workers", "1", "--tasks", task,
               "--out", "r", at=folder)  # fmt: skip
    if name != "id_surr":
        return ends_with(done, 2, "nnnn" if name == "scene_long" else place.name)
    names = {record.id for record in read_records(folder / "r")}
    return Found(f"ids {sorted(names)[-1]!r} ..; {done.last}",
                 done.code == 0 and "vsibench/\ufffd" in names)  # fmt: skip


def _run_copy(name: str, folder: Path) -> Path:
    shutil.copytree(FAULTS / name / "run", folder / "run")
    for path in (folder / "run").rglob("*"):
        path.chmod(0o644)
    return folder / "run"


def _refuse_run(name: str, folder: Path) -> Found:
    _run_copy(name, folder)
    commands = {
        "gate": ("gate", BASELINE, "run"),
        "baseline": ("baseline", "run", "-o", "b.parquet"),
        "rescore": ("rescore", "run", "--scorer", "official", "--data", DATA),
        "board": ("board", "run"),
        "eval": (*_EVAL, "--out", "run"),
    }
    file = "run.json" if name.startswith("manifest") else "records-0.jsonl"
    found = {}
    for command, words in commands.items():
        done = run(*words, at=folder)
        # a run of an older version of a task is refused before its records are read
        named = file if done.says(file) else "another"
        found[command] = ends_with(done, 2, "run" if command == "eval" else named)
    return all_of(found)


def _markup(folder: Path) -> Found:
    """Put the records into a run of today's tasks, and finish it again."""
    run(*_EVAL, "--out", "run", at=folder)
    source = FAULTS / "records_category_markup" / "run" / "records-0.jsonl"
    shutil.copyfile(source, folder / "run" / source.name)
    ended = run(*_EVAL, "--out", "run", at=folder, COLUMNS="200")
    shown = run("board", "run", "--by", at=folder, COLUMNS="200")
    holds = ended.code == shown.code == 0 and all("[bold]rain" in d.out for d in (ended, shown))
    return Found(f"eval and board show {'[bold]rain' if holds else 'something else'}", holds)


def _shows_nothing_raw(done: Done, *codes: int) -> Found:
    raw = _RAW.search(done.out + done.errors)
    return Found(f"{done.last} {'raw ' + repr(raw[0]) if raw else ''}",
                 raw is None and done.code in codes and "Traceback" not in done.errors)  # fmt: skip


def _escapes(folder: Path) -> Found:
    _run_copy("records_esc_answer", folder)
    return all_of({
        "gate": _shows_nothing_raw(run("gate", BASELINE, "run", at=folder), 0, 1, 3, 4),
        "rescore": _shows_nothing_raw(
            run("rescore", "run", "--scorer", "official", "--data", DATA, at=folder), 0, 2
        ),
    })  # fmt: skip


def _hostile_id(folder: Path) -> Found:
    _run_copy("records_hostile_id", folder)
    words = ("gate", BASELINE, "run", "--summary", "s.md", "--junit", "j.xml")
    done = run(*words, at=folder)
    texts = [(folder / name).read_text() for name in ("s.md", "j.xml") if (folder / name).exists()]
    clean = all("<script" not in text and not _RAW.search(text) for text in texts)
    found = _shows_nothing_raw(done, 0, 1, 2, 3, 4)
    return Found(f"{found.gives}; {len(texts)} reports", found.holds and clean)


def _surrogate(folder: Path) -> Found:
    _run_copy("records_surrogate", folder)
    frozen = ends_with(run("baseline", "run", "-o", "b.parquet", at=folder), 0)
    words = ("rescore", "run", "--scorer", "official", "--data", DATA)
    done = run(*words, at=folder)
    other = done.code == 2 and done.says("version")  # VideoMMMU has other questions since
    again = ends_with(done, 2 if other else 0)
    return all_of({"baseline": frozen, "rescore": again})


def _gate_policy(name: str, folder: Path) -> Found:
    words = ("gate", BASELINE, SOUND, "--policy", FAULTS / "policy" / f"{name}.toml")
    return ends_with(run(*words, at=folder), 2, f"{name}.toml")


def _publish(name: str, folder: Path) -> Found:
    words = ("board", SOUND, f"--published={FAULTS / 'published' / name}.csv")
    return ends_with(run(*words, at=folder), 2, f"{name}.csv")


def _publish_text(name: str, folder: Path) -> Found:
    found = {}
    for form in ("text", "md", "csv", "html", "latex", "json"):
        words = ("board", SOUND, f"--published={FAULTS / 'published' / name}.csv")
        done = run(*words, "--format", form, at=folder)
        found[form] = _shows_nothing_raw(done, 0)
        if form == "json":
            json.loads(done.out, parse_constant=lambda text: 1 / 0)
        if form == "csv":
            cells = [cell for row in csv.reader(io.StringIO(done.out)) for cell in row]
            safe = not any(cell.startswith(("=", "@", "+")) for cell in cells)
            found["cells"] = Found("formulas" if not safe else "no formulas", safe)
    return all_of(found)


def _score(name: str, folder: Path) -> Found:
    words = ("score", "--task", "vsibench", "--data", DATA, "--responses")
    done = run(*words, FAULTS / "score" / f"{name}.jsonl", at=folder)
    return ends_with(done, 2, f"{name}.jsonl", "line 1")


def _score_surrogate(folder: Path) -> Found:
    words = ("score", "--task", "vsibench", "--data", DATA, "--responses")
    done = run(*words, FAULTS / "score" / "surr.jsonl", "--out", "o", at=folder)
    first = next(one for one in read_records(folder / "o") if one.id == "vsibench/0")
    return Found(f"{first.text!r}; {done.last}", done.code == 0 and first.text == "3 \ufffd")


@contextmanager
def _small_disk(folder: Path, size: str) -> Iterator[Path]:
    place = folder / size
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _full_disk(folder: Path) -> Found:
    found = {}
    for size in ("64k", "168k"):
        with _small_disk(folder, size) as place:
            done = run_process(*_EVAL, "--out", place / "run", at=folder)
            found[size] = ends_with(done, 4)
    return all_of(found)


def _closed_pipe(folder: Path) -> Found:
    codes = []
    for tail in ("", " | true"):
        command = f'"{sys.executable}" -m harness gate "{BASELINE}" "{SOUND}"{tail}'
        script = f"{command}; echo ${{PIPESTATUS[0]}} >&2"
        done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True,
                              check=True)  # fmt: skip
        codes.append(done.stderr.strip().splitlines()[-1])
    return Found(f"exit {codes[0]} alone, {codes[1]} in the pipe", codes[0] == codes[1] == "3")


def _ascii_output(folder: Path) -> Found:
    return ends_with(run_process("board", SOUND, at=folder, PYTHONIOENCODING="ascii"), 0)


def _flags(folder: Path) -> Found:
    return all_of({
        "timeout": ends_with(
            run(*_EVAL, "--out", "x[/]y", "--decode-timeout", "1e10", at=folder), 2,
            "decode_timeout",
        ),
        "port": ends_with(
            run("eval", "x", "--data", DATA, "--base-url", "http://127.0.0.1:abc/v1", at=folder),
            2, "abc",
        ),
    })  # fmt: skip


def _keys(folder: Path) -> Found:
    found = {}
    for name, key in (("empty", ""), ("with a line break", f"{_SECRET}\n")):
        with closing(RawServer(once(http({"object": "list", "data": []})))) as server:
            words = ("eval", "stub", "--base-url", server.url, "--data", DATA, "--limit", "2")
            done = run(*words, "--out", "o", at=folder, OPENAI_API_KEY=key)
        told = _SECRET in done.out + done.errors
        found[name] = Found(done.last, done.code == 2 and not told)
    return all_of(found)


def _file_for_run(folder: Path) -> Found:
    return all_of({
        "board": ends_with(run("board", BASELINE, at=folder), 2, "base.parquet"),
        "gate": ends_with(run("gate", BASELINE, BASELINE, at=folder), 2, "base.parquet"),
    })  # fmt: skip
