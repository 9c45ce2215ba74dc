"""``--report-to``: what trackers are told, and that nothing about them touches an evaluation."""

import json
import os
import shutil

import pytest

from harness.cli import main
from harness.run.store import read_records
from harness.text.shown import for_terminal
from tests.faults.hostile import HOSTILE, RAW
from tests.harness.trackers.events import read_events
from tests.harness.trackers.fakes import install

BOTH = "vsibench,mvbench"
SMALL = ["--backend", "fake", "--max-frames", "4", "--max-pixels", "3136", "--workers", "1"]


def _words(data, folder, *, model="model", tasks="vsibench"):
    words = ["eval", model, "--data", data, "--tasks", tasks, "--limit", "4", "--out", folder]
    return [str(word) for word in (*words, *SMALL)]


@pytest.fixture(scope="module")
def finished(demo_data, tmp_path_factory):
    """Finished runs of one and of two tasks: the same command evaluates nothing and reports."""
    runs = {tasks: tmp_path_factory.mktemp("run") / "run" for tasks in ("vsibench", BOTH)}
    for tasks, folder in runs.items():
        assert main(_words(demo_data, folder, tasks=tasks)) == 0
    return runs


@pytest.fixture
def evaluate(demo_data, finished, tmp_path, capsys):
    """Run the command of a finished run with trackers; returns exit code, output and folder."""

    def run(*flags, tasks="vsibench", out="run"):
        folder = tmp_path / out
        if not folder.exists():
            shutil.copytree(finished[tasks], folder)
        capsys.readouterr()
        code = main([*_words(demo_data, folder, tasks=tasks), *map(str, flags)])
        shown = capsys.readouterr()
        return code, shown.out + shown.err, folder

    return run


@pytest.fixture
def start(demo_data, tmp_path, capsys):
    """Start an evaluation in an empty folder; returns exit code, output and folder."""

    def run(*flags, model="model", out="run"):
        folder = tmp_path / out
        code = main([*_words(demo_data, folder, model=model), *map(str, flags)])
        shown = capsys.readouterr()
        return code, shown.out + shown.err, folder

    return run


def test_wandb_is_told_scores_outcomes_items_and_what_was_run(evaluate, tmp_path, monkeypatch):
    """Scores with intervals as in summary.json; the protocol as configuration; one run."""
    fake = install("wandb", tmp_path, monkeypatch)
    code, _, run = evaluate("--report-to", "wandb", "--track-project", "mine", tasks=BOTH)
    assert code == 0
    [init], [scores], tables, [finish] = map(fake.told, ("init", "scores", "table", "finish"))
    summary = json.loads((run / "summary.json").read_text())["tasks"]
    told, mvbench = scores["scores"], summary["mvbench"]
    assert told["mvbench/score"] == mvbench["score"]
    assert [told["mvbench/ci95_low"], told["mvbench/ci95_high"]] == mvbench["ci95"]
    assert "vsibench/ci95_low" not in told  # one video has no interval
    assert told["vsibench/outcomes/wrong"] == summary["vsibench"]["outcomes"]["wrong"]
    for category, line in mvbench["breakdown"].items():
        assert told[f"mvbench/categories/{category}"] == line["score"]
    assert (init["project"], init["name"], init["resume"]) == ("mine", "run", "allow")
    assert init["config"]["protocol"]["vsibench"]["frames"]["max_frames"] == 4
    assert init["config"]["named"] == "model"
    assert sorted(table["name"] for table in tables) == ["items/mvbench", "items/vsibench"]
    assert [len(table["rows"]) for table in tables] == [4, 4]
    shown = next(table for table in tables if table["name"] == "items/vsibench")
    first = dict(zip(shown["columns"], shown["rows"][0], strict=True))
    assert first["question"].startswith("How many")
    assert first["id"].startswith("vsibench/")
    assert finish["exit_code"] == 0


def test_trackio_is_told_the_same(evaluate, tmp_path, monkeypatch):
    """Both at once; each gets all of it."""
    fakes = [install(name, tmp_path / name, monkeypatch) for name in ("wandb", "trackio")]
    assert evaluate("--report-to", "wandb,trackio")[0] == 0
    assert fakes[0].told("scores") == fakes[1].told("scores")
    assert len(fakes[1].told("finish")) == 1


def test_tensorboard_files_lie_in_the_run_directory(evaluate):
    """The real writer; the file holds the numbers of summary.json and the items as a table."""
    code, _, run = evaluate("--report-to", "tensorboard", tasks=BOTH)
    scalars, texts = read_events(run / "tensorboard")
    summary = json.loads((run / "summary.json").read_text())["tasks"]
    assert code == 0
    for task, one in summary.items():
        assert scalars[f"{task}/score"] == (pytest.approx(one["score"]), 0)
        assert texts[f"items/{task}"].startswith("| id | repeat | category |")
    assert '"max_frames": 4' in texts["config"]


def test_a_missing_package_is_told_before_anything_else(start, tmp_path):
    """Exit 2 with the extra; no data are read and no run is begun."""
    code, shown, run = start("--report-to", "trackio", "--data", str(tmp_path / "none"))
    assert code == 2
    assert "trackio is not installed; install it with: pip install 'videor1[track]'" in shown
    assert not run.exists()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("wnadb", "expected wandb, trackio, tensorboard, got 'wnadb'"),
        ("", "expected wandb, trackio, tensorboard, got ''"),
        ("tensorboard,tensorboard", "expected every name once"),
    ],
)
def test_a_wrong_name_is_refused(start, value, words):
    """With the names that there are."""
    code, shown, run = start("--report-to", value)
    assert code == 2
    assert words in shown
    assert not run.exists()


def test_wandb_without_a_key_is_told_before_the_evaluation(start, tmp_path, monkeypatch):
    """Nobody is asked for a key in the middle of a job."""
    fake = install("wandb", tmp_path, monkeypatch)
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    code, shown, run = start("--report-to", "wandb")
    assert code == 2
    assert "wandb has no key: run `wandb login`, set WANDB_API_KEY" in shown
    assert fake.told("init") == []
    assert not (run / "records-0.jsonl").exists()


def test_a_tracker_that_cannot_start_ends_the_command_at_its_start(start, tmp_path, monkeypatch):
    """One line with its reason; trackers that have started are closed."""
    install("wandb", tmp_path / "w", monkeypatch, fail=("init",))
    other = install("trackio", tmp_path / "t", monkeypatch)
    code, shown, run = start("--report-to", "trackio,wandb")
    assert code == 2
    assert "--report-to wandb cannot start: ConnectionError: no route to wandb; mend it" in shown
    assert len(other.told("finish")) == 1
    assert not (run / "records-0.jsonl").exists()


@pytest.mark.parametrize("fail", [("scores",), ("table",), ("finish",), ("scores", "finish")])
def test_a_tracker_that_fails_costs_no_answer(evaluate, tmp_path, monkeypatch, fail):
    """Named and counted; records, summary and exit code are those of the evaluation."""
    install("wandb", tmp_path / "w", monkeypatch, fail=fail)
    other = install("trackio", tmp_path / "t", monkeypatch)
    code, shown, run = evaluate("--report-to", "wandb,trackio")
    assert code == 0
    assert len(read_records(run)) == 4
    assert (run / "summary.json").exists()
    assert (
        f"wandb: {len(fail)} of 3 reports failed: ConnectionError: no route to wandb; the results"
        " in the run directory are complete" in " ".join(shown.split())
    )
    assert len(other.told("scores")) == len(other.told("finish")) == 1


def test_what_trackers_print_is_not_shown(evaluate, tmp_path, monkeypatch):
    """A command's own lines stay the only ones."""
    for name in ("wandb", "trackio"):
        install(name, tmp_path / name, monkeypatch)
    _, shown, _ = evaluate("--report-to", "wandb,trackio")
    assert "noise" not in shown
    assert "Trackio" not in shown


def test_a_resumed_run_is_the_same_run_of_the_tracker(evaluate, tmp_path, monkeypatch):
    """The id depends on the folder and on what is evaluated; another folder has another."""
    fake = install("wandb", tmp_path, monkeypatch)
    for out in ("run", "run", "other"):
        evaluate("--report-to", "wandb", out=out)
    first, again, other = (call["id"] for call in fake.told("init"))
    assert first == again != other


def test_a_finished_run_can_be_sent_later(evaluate, tmp_path, monkeypatch):
    """The same command with --report-to evaluates nothing and reports all."""
    fake = install("wandb", tmp_path, monkeypatch)
    assert evaluate("--report-to", "wandb")[0] == 0
    assert fake.told("scores")[0]["scores"]["vsibench/items"] == 4


def test_no_tracker_is_told_of_a_folder_that_holds_another_run(evaluate, tmp_path, monkeypatch):
    """The folder is refused first."""
    fake = install("wandb", tmp_path, monkeypatch)
    assert evaluate("--report-to", "wandb", "--seed", "7")[0] == 2
    assert fake.told("init") == []


def test_an_evaluation_that_ends_early_is_closed_as_failed(demo_data, tmp_path, monkeypatch, start):
    """The tracker shows that it did not end well."""
    fake = install("wandb", tmp_path, monkeypatch)
    broken = tmp_path / "data"
    (broken / "vsibench").mkdir(parents=True)
    for path in (demo_data / "vsibench").iterdir():
        if path.is_file():
            os.link(path, broken / "vsibench" / path.name)
    for video in (demo_data / "vsibench").rglob("*.mp4"):
        copy = broken / video.relative_to(demo_data)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(b"no video")
    flags = ["--data", str(broken), "--max-failures", "0"]
    assert start("--report-to", "wandb", *flags)[0] == 4
    assert fake.told("finish")[0]["exit_code"] == 1


def test_the_rows_of_tables_are_bounded(evaluate, tmp_path, monkeypatch):
    """--track-items is the number of all tasks together; 0 sends no table."""
    fake = install("wandb", tmp_path, monkeypatch)
    flags = ["--report-to", "wandb", "--track-items"]
    evaluate(*flags, "5", tasks=BOTH)
    assert sum(len(table["rows"]) for table in fake.told("table")) == 5
    evaluate(*flags, "0", tasks=BOTH, out="none")
    assert len(fake.told("table")) == 2


def test_hostile_texts_reach_trackers_as_text(start, tmp_path, monkeypatch):
    """Names, answers and categories: no control character, and escaped where Markdown is read."""
    fakes = [install(name, tmp_path / name, monkeypatch) for name in ("wandb", "trackio")]
    flags = ["--report-to", "wandb,trackio,tensorboard"]
    _, _, run = start(model=HOSTILE, out="run\x1b[2J")
    path = run / "records-0.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        line |= {"answer": HOSTILE, "text": f"{HOSTILE}\ud83d", "gold": HOSTILE}
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    code, shown, _ = start(*flags, model=HOSTILE, out="run\x1b[2J")
    assert code == 0, shown
    assert not RAW.search(shown)
    for fake in fakes:
        told = json.dumps([fake.told(kind) for kind in ("init", "scores", "table")])
        assert not RAW.search("".join(map(str, _strings(json.loads(told)))))
    cells = [str(cell) for row in fakes[0].told("table")[0]["rows"] for cell in row]
    assert for_terminal(HOSTILE) in cells
    escaped = " ".join(str(cell) for row in fakes[1].told("table")[0]["rows"] for cell in row)
    assert "<script>" not in escaped
    assert "\\[/b\\]" in escaped
    _, texts = read_events(run / "tensorboard")
    assert "<script>" not in texts["items/vsibench"]
    assert len(texts["items/vsibench"].splitlines()) == 2 + 4


def _strings(value):
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in _strings(part)]
    if isinstance(value, list):
        return [text for part in value for text in _strings(part)]
    return [value] if isinstance(value, str) else []


def test_no_secret_of_the_command_line_or_the_settings_is_sent(start, tmp_path, monkeypatch):
    """Passwords in addresses, keys in bodies and the command line itself stay here."""
    fake = install("wandb", tmp_path, monkeypatch)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-abcdefghijklmnop")
    model = "https://me:hunter2@host/model"
    assert start("--report-to", "wandb", model=model)[0] == 0
    told = json.dumps(fake.told("init"))
    assert "hunter2" not in told
    assert "sk-abc" not in told
    assert "argv" not in fake.told("init")[0]["config"]
    assert fake.told("init")[0]["settings"]["x_disable_meta"] is True
