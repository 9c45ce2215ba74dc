"""A file stands wherever a task's name does: evaluated, resumed, rescored, boarded, gated."""

import json
import shutil

import pytest

from harness.board.leaderboard import read_board
from harness.cli import main
from harness.run.store import read_manifest
from tests.clips import write_clip
from tests.tasks.test_local_code import CLASS, ROWS

SMALL = ["--max-frames", "4", "--max-pixels", "3136", "--backend", "fake"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A table, a class, and a run of both."""
    folder = tmp_path_factory.mktemp("local")
    (clips := folder / "clips").mkdir()
    for number in (1, 2):
        write_clip(clips / f"{number}.mp4")
    rows = [json.loads(line) for line in ROWS.splitlines()]
    (folder / "signs.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    levels = (
        'official_aggregation = paper_aggregation = Aggregation(name="macro", levels=by_weather)'
    )
    code = CLASS.replace("version = 1\n", f"version = 1\n    {levels}\n")
    code = code.replace("from harness import (", "from harness import (\n    Aggregation,")
    helper = "def by_weather(category):\n    return (category,)\n\n\n"
    (folder / "traffic.py").write_text(code.replace("class Traffic", f"{helper}class Traffic"))
    (data := folder / "data" / "traffic").mkdir(parents=True)
    (data / "questions.jsonl").write_text(ROWS)
    shutil.copytree(clips, data / "clips")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert _eval("run") == 0
    return folder


def _eval(out, tasks="./signs.jsonl,./traffic.py", *flags):
    return main(["eval", "guesser", "--tasks", tasks, "--out", out, *SMALL, *flags])


@pytest.fixture
def inside(made, tmp_path, monkeypatch):
    """A copy of it as the working directory."""
    shutil.copytree(made, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def _last(capsys):
    return capsys.readouterr().err.splitlines()[-1]


def test_the_column_has_the_name_of_the_file(inside, capsys):
    """And of the class; where the files lie is no part of what the run is of."""
    assert read_manifest(inside / "run")["tasks"] == ["signs", "traffic"]
    assert main(["board", "run", "--format", "csv"]) == 0
    rows = [line.split(",") for line in capsys.readouterr().out.splitlines()]
    assert {row[rows[0].index("task")] for row in rows[1:]} >= {"signs", "traffic"}


def test_the_same_command_is_a_no_op_from_another_folder_too(inside, monkeypatch):
    """A path written otherwise is the same benchmark."""
    before = (inside / "run" / "records-0.jsonl").read_bytes()
    tasks = f"{inside}/signs.jsonl,{inside}/traffic.py"
    assert _eval("run", tasks) == 0
    assert (inside / "run" / "records-0.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("file", "before", "after", "told"),
    [
        ("signs.jsonl", "car turn?", "car go?", "data.signs.sha256"),
        ("signs.toml", "", 'title = "Signs"', "data.signs.sha256"),
        ("traffic.py", "Letter:", "Answer:", "data.traffic.sha256"),
        ("data/traffic/questions.jsonl", "car turn?", "car go?", "data.traffic.sha256"),
    ],
)
def test_a_run_does_not_go_on_with_other_content(inside, capsys, file, before, after, told):
    """One line says which benchmark has changed; another folder keeps both."""
    text = (inside / file).read_text() if before else ""
    (inside / file).write_text(text.replace(before, after) if before else after)
    assert _eval("run") == 2
    last = _last(capsys)
    assert told in last
    assert "the content of their files has changed" in last


def test_board_gate_and_report_need_no_file(inside):
    """What they need of a class is in the run: its Python is not run again."""
    (inside / "signs.jsonl").unlink()
    (inside / "traffic.py").write_text("raise SystemError('run again')\n")
    assert main(["board", "run"]) == 0
    assert main(["baseline", "run", "-o", "base.parquet"]) == 0
    assert main(["gate", "base.parquet", "run", "--margin", "90"]) in (0, 3)
    assert main(["report", "run", "-o", "report"]) == 0
    assert main(["show", "run"]) == 0


def test_a_baseline_knows_how_a_class_averages(inside):
    """The mean over categories is taken from the run."""
    from harness.gate.baseline import read_baseline

    assert main(["baseline", "run", "-o", "base.parquet"]) == 0
    baseline = read_baseline(inside / "base.parquet")
    assert baseline.aggregation == {"signs": "micro", "traffic": "macro"}
    paths = {item.id: item.path for item in baseline.items}
    assert paths == {"signs/1": (), "signs/2": (), "traffic/1": ("rain",), "traffic/2": ("sun",)}


def test_rescore_finds_the_table_and_asks_for_the_class(inside, capsys):
    """Code is run where the user names it, never because a run directory does."""
    assert main(["rescore", "run", "--scorer", "official"]) == 2
    assert "is run only where you name it: add --tasks" in _last(capsys)
    assert main(["rescore", "run", "--scorer", "official", "--tasks", "./traffic.py"]) == 0
    (inside / "signs.jsonl").write_text(ROWS.replace("car turn?", "car go?"))
    both = "./traffic.py,./signs.jsonl"
    assert main(["rescore", "run", "--scorer", "official", "--tasks", both]) == 2
    assert "has other questions than the run was made with" in _last(capsys)


def test_a_category_may_be_selected(inside):
    """As of any benchmark."""
    rows = ROWS.replace("weather", "category")
    (inside / "rain.jsonl").write_text(rows)
    assert _eval("rain", "./rain.jsonl:rain") == 0
    manifest = read_manifest(inside / "rain")
    assert (manifest["tasks"], manifest["data"]["rain"]["items"]) == (["rain:rain"], 1)


def test_runs_of_a_file_and_of_a_benchmark_are_one_row(inside, demo_data):
    """One checkpoint and one protocol, though each has frames of its own under `official`."""
    official = ["--protocol", "official", "--limit", "2"]
    assert _eval("own", "./signs.jsonl", *official) == 0
    assert _eval("theirs", "vsibench", "--data", str(demo_data), *official) == 0
    board = read_board(["own", "theirs"])
    assert [list(row.cells) for row in (*board.ranked, *board.below)] == [["signs", "vsibench"]]


def test_two_files_of_one_name_are_refused(inside, capsys):
    """Their columns would be one."""
    (inside / "other").mkdir()
    shutil.copy(inside / "signs.jsonl", inside / "other" / "signs.jsonl")
    assert _eval("both", "./signs.jsonl,./other/signs.jsonl") == 2
    assert "task 'signs' is selected twice, by './signs.jsonl' and './other/signs" in _last(capsys)


def test_runs_of_two_files_of_one_name_are_not_ranked_together(inside, capsys):
    """Other questions are other data, whatever the file is called."""
    shutil.move(inside / "signs.jsonl", inside / "old.jsonl")
    (inside / "signs.jsonl").write_text(ROWS.replace("car turn?", "car go?"))
    assert _eval("one", "./signs.jsonl") == 0
    (inside / "signs.jsonl").write_text(ROWS.replace("car turn?", "bus go?"))
    assert main(["eval", "other", "--tasks", "./signs.jsonl", "--out", "two", *SMALL]) == 0
    capsys.readouterr()
    assert main(["board", "one", "two"]) == 0
    assert "not ranked: other: signs: different settings" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--tasks", "vsibnch"], "did you mean 'vsibench'?"),
        (["--tasks", "papr"], "did you mean 'paper'?"),
        (["--tasks", "./sings.jsonl,vsibench"], "did you mean signs.jsonl?"),
        (["--tasks", "./signs.yaml"], "a file with a benchmark ends in .csv, .json"),
        (["--tasks", "vsibench", "--protocol", "offical"], "did you mean official?"),
        (["--tasks", "vsibench", "--scorer", "flexibel"], "did you mean flexible?"),
    ],
)
def test_a_misspelt_name_is_told_before_missing_data(inside, capsys, words, told):
    """The nearer fault first: nobody fetches data for a name that does not exist."""
    assert main(["eval", "guesser", "--data", "nowhere", *words, *SMALL]) == 2
    assert told in _last(capsys)


def test_tasks_shows_a_file_and_a_benchmark_without_data(inside, capsys):
    """Size, prompt and what is missing."""
    assert main(["tasks", "./signs.jsonl", "--protocol", "official"]) == 0
    shown = capsys.readouterr().out
    assert "2 questions, 2 videos and pictures" in shown
    assert "Answer with the option's letter only." in shown
    assert "[gold] B" in shown
    assert main(["tasks", "longvideobench", "--data", "nowhere"]) == 0
    shown = capsys.readouterr().out
    assert "CC BY-NC-SA 4.0, gated" in shown
    assert "videor1 data fetch longvideobench" in shown
    assert "No example: the questions are not here." in shown


def test_a_protocol_file_has_a_table_for_a_local_benchmark(inside):
    """By its name, as for an installed one."""
    (inside / "mine.toml").write_text('extends = "official"\n[tasks.signs]\nscorer = "flexible"\n')
    assert _eval("mine", "./signs.jsonl", "--protocol", "mine.toml") == 0
    assert read_manifest(inside / "mine")["protocol"]["signs"]["scorer"] == "flexible@1"


def test_a_watch_reads_files_and_refuses_unknown_names(inside):
    """When its settings are read, not in every evaluation."""
    from harness.errors import UsageError
    from trainer.watch.settings import read_watch_settings

    assert read_watch_settings("tiny", ['slice.tasks=["./signs.jsonl"]']).slice.tasks == (
        "./signs.jsonl",
    )
    with pytest.raises(UsageError, match="did you mean 'vsibench'"):
        read_watch_settings("tiny", ['slice.tasks=["vsibnch"]'])
