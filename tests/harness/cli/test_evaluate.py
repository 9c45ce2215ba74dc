"""The command line from start to end: exit codes, resume, kills, bad input."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest

from harness.cli import main
from harness.run.store import read_records
from tests.interrupts import interruptible
from tests.paths import ROOT

TASKS = "videommmu,vsibench,mvbench,tempcompass"
SMALL = ["--max-frames", "4", "--max-pixels", "18816", "--backend", "fake"]


@pytest.fixture(scope="module")
def made(demo_data, tmp_path_factory):
    """The demo's four benchmark folders, made once."""
    folder = tmp_path_factory.mktemp("demo") / "data"
    shutil.copytree(demo_data, folder)
    return folder


@pytest.fixture
def data(made, tmp_path):
    """A copy of the demo's data that a test may damage."""
    return Path(shutil.copytree(made, tmp_path / "data"))


def _eval(data, out, *flags):
    return main(["eval", "guesser", "--data", str(data), "--out", str(out), *SMALL, *flags])


def _summary(out):
    return json.loads((out / "summary.json").read_text())


def test_one_command_scores_all_four_benchmarks(made, tmp_path, capsys):
    """The run exits 0, writes its summary and prints each task's score and why it ended."""
    assert _eval(made, tmp_path / "run") == 0
    tasks = _summary(tmp_path / "run")["tasks"]
    assert list(tasks) == sorted(TASKS.split(","))
    assert all(task["missing"] == 0 and task["score"] is not None for task in tasks.values())
    printed = capsys.readouterr()
    assert all(name in printed.out for name in tasks)
    assert printed.err.splitlines()[-1].startswith("exit 0 (ok): ")


def test_the_official_protocol_runs_too(made, tmp_path):
    """Each benchmark's own prompts, frame rules, sampling and scorers are one flag away."""
    assert _eval(made, tmp_path / "run", "--protocol", "official") == 0
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["protocol"]["mvbench"]["frames"]["rule"] == "segments"
    assert run["protocol"]["vsibench"]["sampling"]["max_tokens"] == 16


def test_a_finished_run_is_a_no_op(made, tmp_path):
    """The same command again asks nothing and leaves the records as they are."""
    _eval(made, tmp_path / "run")
    before = (tmp_path / "run" / "records-0.jsonl").read_bytes()
    assert _eval(made, tmp_path / "run") == 0
    assert (tmp_path / "run" / "records-0.jsonl").read_bytes() == before


@pytest.mark.slow
def test_kills_change_nothing(made, tmp_path):
    """Killed at random moments, a run ends with the summary of an uninterrupted one; the suite
    ``python -m tests.faults.kill`` does it two hundred times."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    _eval(made, whole)
    command = [
        sys.executable, "-m", "harness", "eval", "guesser", "--data", str(made),
        "--out", str(killed), *SMALL, "--workers", "1",
    ]  # fmt: skip
    rng = random.Random(7)
    finished = []
    for _ in range(3):
        process = subprocess.Popen(
            command, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        _wait_for(process, killed / "records-0.jsonl")
        time.sleep(rng.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.wait()
        finished.append({record.id for record in read_records(killed)})
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0
    assert _summary(killed)["tasks"] == _summary(whole)["tasks"]
    ids = [json.loads(line)["id"] for line in (killed / "records-0.jsonl").read_text().splitlines()]
    assert len(ids) == len(set(ids))
    assert all(earlier <= later for earlier, later in pairwise(finished))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_what_is_finished_and_exits_130(made, tmp_path, number):
    """Ctrl-C, and SIGTERM of a batch system, say how much is kept and how to go on."""
    out = tmp_path / "run"
    command = [
        sys.executable, "-m", "harness", "eval", "guesser", "--data", str(made),
        "--out", str(out), *SMALL, "--workers", "1",
    ]  # fmt: skip
    process = subprocess.Popen(interruptible(command), cwd=ROOT, stderr=subprocess.PIPE, text=True)
    _wait_for(process, out / "records-0.jsonl")
    process.send_signal(number)
    _, printed = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in printed
    assert "run the same command again" in printed.splitlines()[-1]
    assert len(read_records(out)) > 0


def test_a_changed_protocol_is_refused_with_the_field(made, tmp_path, capsys):
    """A run directory never mixes protocols."""
    _eval(made, tmp_path / "run")
    assert _eval(made, tmp_path / "run", "--max-frames", "6") == 2
    assert "max_frames: 4 != 6" in capsys.readouterr().err


def test_another_checkpoint_is_refused(made, tmp_path, capsys):
    """A run directory never mixes checkpoints."""
    _eval(made, tmp_path / "run")
    flags = ["--data", str(made), "--out", str(tmp_path / "run"), *SMALL]
    assert main(["eval", "other", *flags]) == 2
    assert "checkpoint.name: 'guesser' != 'other'" in capsys.readouterr().err


def test_a_changed_question_file_is_refused(data, tmp_path, capsys):
    """New data is a new run."""
    _eval(data, tmp_path / "run")
    questions = data / "vsibench" / "test.jsonl"
    questions.write_text(questions.read_text().replace("How many", "Count how many"))
    assert _eval(data, tmp_path / "run") == 2
    assert "data.vsibench.sha256" in capsys.readouterr().err


def test_a_damaged_video_fails_its_items_and_the_run_is_incomplete(data, tmp_path, capsys):
    """Exit 4 with the reason; the other items are scored; a budget accepts it."""
    broken = data / "vsibench" / "scannet" / "demo0001_00.mp4"
    broken.write_bytes(broken.read_bytes()[:600])
    assert _eval(data, tmp_path / "run", "--tasks", "vsibench") == 4
    task = _summary(tmp_path / "run")["tasks"]["vsibench"]
    assert task["outcomes"]["failed"] == 4
    assert task["n_scored"] == 124
    assert "demo0001_00.mp4" in capsys.readouterr().out
    assert _eval(data, tmp_path / "run", "--tasks", "vsibench", "--max-failures", "25%") == 0


def test_a_dry_run_runs_nothing(made, tmp_path, capsys):
    """It shows protocol, items and videos, and creates no run directory."""
    assert _eval(made, tmp_path / "run", "--dry-run") == 0
    printed = capsys.readouterr().out
    assert "max_frames" in printed
    assert re.search(r"vsibench +128 +1 +32 ", printed)
    assert not (tmp_path / "run").exists()


def _row(data, change):
    """Change the fields of the first VSI-Bench row."""
    path = data / "vsibench" / "test.jsonl"
    first, *rest = path.read_text().splitlines()
    path.write_text("\n".join([json.dumps({**json.loads(first), **change}), *rest]) + "\n")


def _break_json(data):
    path = data / "vsibench" / "test.jsonl"
    path.write_text(path.read_text() + '{"id": 99,\n')


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: shutil.rmtree(data), "no such data folder"),
        (lambda data: shutil.rmtree(data / "vsibench"), "vsibench"),
        (lambda data: (data / "vsibench/scannet/demo0002_00.mp4").unlink(), "demo0002_00.mp4"),
        (_break_json, "line 129"),
        (lambda data: _row(data, {"question": 5}), "field 'question'"),
        (lambda data: _row(data, {"scene_name": "../../../x"}), "leaves the data root"),
        (lambda data: _row(data, {"id": 1}), "two questions have the id"),
    ],
    ids=["folder", "task", "video", "json", "row", "path", "id"],
)
def test_bad_data_is_a_clear_error_before_anything_runs(data, tmp_path, capsys, damage, message):
    """Exit 2, a message that names the place, and no run directory."""
    damage(data)
    assert _eval(data, tmp_path / "run", "--tasks", "vsibench") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_an_unknown_task_is_a_usage_error(made, tmp_path, capsys):
    """The known tasks are listed."""
    assert _eval(made, tmp_path / "run", "--tasks", "vsi") == 2
    assert "known tasks" in capsys.readouterr().err


def test_a_run_directory_that_cannot_be_made_is_a_usage_error(made, tmp_path, capsys):
    """The message says which folder and what to do."""
    (tmp_path / "file").write_text("")
    assert _eval(made, tmp_path / "file" / "run", "--tasks", "vsibench") == 2
    assert "choose another --out" in capsys.readouterr().err


@pytest.mark.parametrize("backend", ["vllm", "transformers"])
def test_an_engine_that_is_not_installed_is_named(made, tmp_path, capsys, backend):
    """The message is the pip line, and nothing is left behind."""
    if find_spec(backend):
        pytest.skip(f"{backend} is installed here")
    out = tmp_path / "run"
    code = main([
        "eval", "any", "--data", str(made), "--backend", backend, "--out", str(out),
    ])  # fmt: skip
    assert code == 2
    assert f"pip install 'videor1[{backend}]'" in capsys.readouterr().err
    assert not out.exists()


def _wait_for(process, path):
    """Wait until a run writes to a file, or has ended."""
    before = path.stat().st_size if path.exists() else 0
    while process.poll() is None:
        if path.exists() and path.stat().st_size > before:
            return
        time.sleep(0.01)


def test_score_reads_stored_responses(made, tmp_path, capsys):
    """Texts generated elsewhere are scored; what lacks a text makes it incomplete."""
    rows = [json.loads(line) for line in (made / "vsibench/test.jsonl").read_text().splitlines()]
    texts = [{"id": f"vsibench/{row['id']}", "text": row["ground_truth"]} for row in rows]
    file = tmp_path / "responses.jsonl"
    file.write_text("".join(json.dumps(text) + "\n" for text in texts))
    flags = ["score", "--task", "vsibench", "--data", str(made), "--responses", str(file)]
    assert main([*flags, "--out", str(tmp_path / "run")]) == 0
    assert _summary(tmp_path / "run")["tasks"]["vsibench"]["score"] == 100.0
    file.write_text("".join(json.dumps(text) + "\n" for text in texts[:-1]))
    assert main(flags) == 4
    assert "1 of 128 items" in capsys.readouterr().err


def test_a_config_of_a_task_can_be_scored_alone(made, tmp_path):
    """``name:config`` narrows a task to its category."""
    rows = json.loads((made / "tempcompass/questions/yes_no.json").read_text())
    texts = [
        {"id": f"tempcompass/yes_no/{video}/{aspect}/{i}", "text": item["answer"]}
        for video, aspects in rows.items()
        for aspect, items in aspects.items()
        for i, item in enumerate(items)
    ]
    file = tmp_path / "responses.jsonl"
    file.write_text("".join(json.dumps(text) + "\n" for text in texts))
    flags = ["--data", str(made), "--responses", str(file), "--out", str(tmp_path / "run")]
    assert main(["score", "--task", "tempcompass:yes_no", *flags]) == 0
    summary = _summary(tmp_path / "run")["tasks"]["tempcompass"]
    assert (summary["n"], summary["score"]) == (64, 100.0)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "vsibench/0"}', "line 1"),
        ('{"id": "vsibench/nope", "text": "A"}', "vsibench/nope"),
        ('{"id": "vsibench/0", "text": "A"}\n{"id": "vsibench/0", "text": "B"}', "is duplicated"),
    ],
    ids=["no text", "unknown id", "repeated id"],
)
def test_bad_responses_are_named(made, tmp_path, capsys, line, message):
    """A malformed, unknown or repeated response is exit 2 with its place."""
    file = tmp_path / "responses.jsonl"
    file.write_text(line + "\n")
    flags = ["--data", str(made), "--responses", str(file)]
    assert main(["score", "--task", "vsibench", *flags]) == 2
    assert message in capsys.readouterr().err


def test_the_readme_and_ci_run_the_same_command():
    """``.ci/run`` calls the README's test command, exactly."""
    command = (ROOT / ".ci" / "run").read_text().splitlines()[-1]
    assert command in (ROOT / "README.md").read_text()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_process_ends_at_once_with_its_code_after_what_libraries_registered():
    """With torch loaded nothing is taken apart, but output, atexit functions and code are kept."""
    script = (
        "import atexit, sys, types; sys.modules['torch'] = types.ModuleType('torch')\n"
        "class Slow:\n    def __del__(self): print('taken apart')\n"
        "keep = Slow(); sys.modules['keep'] = keep; keep.me = keep\n"
        "atexit.register(print, 'registered')\n"
        "sys.argv = ['videor1', 'score', '--nonsense']\n"
        "import harness.cli as cli\n"
        "cli.main = lambda **_: print('ran') or 3\n"
        "cli.program()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 3
    assert done.stdout.split() == ["ran", "registered"]


def _ids(out):
    return {record.id for record in read_records(out)}


def test_chosen_questions_are_a_run_of_their_own(made, tmp_path, capsys):
    """By id or category; other questions are refused in its folder, rescoring asks the same."""
    flags = ("--tasks", "vsibench")
    assert _eval(made, tmp_path / "all", *flags) == 0
    some = sorted(_ids(tmp_path / "all"))[:3]
    (tmp_path / "ids.txt").write_text("\n".join(some))
    assert _eval(made, tmp_path / "run", *flags, "--ids", str(tmp_path / "ids.txt")) == 0
    assert _ids(tmp_path / "run") == set(some)
    manifest = json.loads((tmp_path / "run" / "run.json").read_text())
    assert manifest["choice"]["ids"] == some
    assert manifest["questions"]["vsibench"] > manifest["data"]["vsibench"]["items"] == 3
    assert _eval(made, tmp_path / "run", *flags) == 2
    assert "data.vsibench.items: 3 != " in capsys.readouterr().err
    assert _eval(made, tmp_path / "run", *flags, "--ids", ",".join([*some[:2], "vsibench/x"])) == 2
    assert "has the id vsibench/x" in capsys.readouterr().err
    rescore = ["rescore", str(tmp_path / "run"), "--scorer", "official", "--data", str(made)]
    assert main(rescore) == 0
    assert main(["board", str(tmp_path / "run"), str(tmp_path / "all")]) == 0
    assert "only 3 of" in " ".join(capsys.readouterr().out.split())


def test_a_category_chooses_its_questions(made, tmp_path):
    """Patterns as of a shell."""
    flags = ("--tasks", "vsibench", "--category", "object_c*")
    assert _eval(made, tmp_path / "run", *flags) == 0
    categories = {record.category for record in read_records(tmp_path / "run")}
    assert categories == {"object_counting"}


def test_a_smoke_test_never_stands_in_the_way_of_the_full_run(made, tmp_path, monkeypatch):
    """Limit, categories, variants and changes of the protocol have folders of their own."""
    monkeypatch.chdir(tmp_path)
    common = ["eval", "guesser", "--data", str(made), "--tasks", "vsibench", *SMALL]
    different = (
        ["--limit", "4"], ["--limit", "8"], ["--category", "object_counting"],
        ["--limit", "4", "--variant", "reversed"], ["--limit", "4", "--max-tokens", "9"],
    )  # fmt: skip
    for flags in (*different, different[0]):
        assert main([*common, *flags]) == 0
    assert len(list((tmp_path / "results" / "runs").iterdir())) == len(different)


def test_missing_media_may_be_left_out_and_make_the_run_incomplete(data, tmp_path, capsys):
    """What is there is evaluated, exit 4 names the rest; with the media the run goes on."""
    video = data / "vsibench" / "scannet" / "demo0001_00.mp4"
    away = tmp_path / "away.mp4"
    video.rename(away)
    flags = ("--tasks", "vsibench,tempcompass", "--category", "object_*,yes_no")
    assert _eval(data, tmp_path / "run", *flags) == 2
    assert "demo0001_00.mp4" in capsys.readouterr().err
    assert _eval(data, tmp_path / "run", *flags, "--allow-missing") == 4
    summary = _summary(tmp_path / "run")["tasks"]
    missing = summary["vsibench"]["missing"]
    assert missing > 0
    assert summary["tempcompass"]["missing"] == 0
    assert summary["vsibench"]["outcomes"]["failed"] == 0
    printed = " ".join(capsys.readouterr().err.split())
    assert "demo0001_00.mp4" in printed
    assert f"vsibench: {missing} of {summary['vsibench']['n']} questions are left out" in printed
    assert f"have no record (vsibench {missing})" in printed
    assert _eval(data, tmp_path / "run", *flags, "--allow-missing") == 4
    away.rename(video)
    assert _eval(data, tmp_path / "run", *flags) == 0
    assert _summary(tmp_path / "run")["tasks"]["vsibench"]["missing"] == 0
