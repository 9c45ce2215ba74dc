"""``runs`` lists what is in a folder, ``show`` prints a run again, both without its data."""

import json
import os
import re
import shutil
import time
from collections import Counter

import pytest

from harness.cli import main
from harness.files import locked
from harness.run.store import read_records
from tests.paths import ROOT

ASK = ["--max-frames", "4", "--max-pixels", "18816", "--backend", "fake", "--workers", "1"]


@pytest.fixture(scope="module")
def folder(demo_data, tmp_path_factory):
    """A folder with a run, a run of before, and a training; the data are gone."""
    folder, data = tmp_path_factory.mktemp("stored"), tmp_path_factory.mktemp("data") / "data"
    shutil.copytree(demo_data, data)
    words = ["eval", "guesser", "--data", str(data), "--tasks", "mvbench,vsibench", "--limit", "6"]
    assert main([*words, "--out", str(folder / "new"), *ASK]) == 0
    repeated = ["--repeats", "2", "--temperature", "1"]
    assert main([*words, "--out", str(folder / "deep" / "twice"), *ASK, *repeated]) == 0
    shutil.rmtree(data)
    shutil.copytree(ROOT / "tests/fixtures/run_schema_1", folder / "old")
    (folder / "sft").mkdir()
    (folder / "sft" / "train.json").write_text("{}")
    return folder


def _listed(capsys, folder):
    capsys.readouterr()
    assert main(["runs", str(folder), "--format", "json"]) == 0
    content = json.loads(capsys.readouterr().out)
    return {run["run"].removeprefix(f"{folder}/"): run for run in content["runs"]}, content


def _copy(folder, tmp_path, name="new"):
    copied = tmp_path / "runs" / name
    shutil.copytree(folder / name, copied)
    return copied


def _shown(capsys, *words):
    capsys.readouterr()
    code = main(["show", *map(str, words)])
    shown = capsys.readouterr()
    return code, shown.out, shown.err.splitlines()[-1]


def test_every_run_is_listed_with_its_scores_whatever_its_age(capsys, folder):
    """Also one of an older version, and one deeper in the folder; trainings are named apart."""
    runs, content = _listed(capsys, folder)
    assert set(runs) == {"new", "old", "deep/twice"}
    assert content["others"] == {str(folder / "sft"): "a training (videor1 train show)"}
    new = runs["new"]
    assert (new["model"], new["protocol"]) == ("guesser", "video-r1, 4 frames")
    assert (new["state"], new["answered"], new["asked"]) == ("finished", 12, 12)
    assert list(new["tasks"]) == ["mvbench", "vsibench"]
    summary = json.loads((folder / "new" / "summary.json").read_text())["tasks"]
    assert new["tasks"]["mvbench"]["score"] == summary["mvbench"]["score"]
    assert runs["deep/twice"]["asked"] == 24


def test_the_list_names_run_model_protocol_score_state_and_age(capsys, folder):
    """In a table; the latest run comes first."""
    now = time.time()
    os.utime(folder / "old" / "records-0.jsonl", (now, now - 3 * 86_400))
    os.utime(folder / "old" / "run.json", (now, now - 3 * 86_400))
    assert main(["runs", str(folder)]) == 0
    shown = capsys.readouterr()
    words = shown.out.split()
    assert words.index("old") > words.index("new")
    assert re.search(r"guesser +4 frames", shown.out)
    assert re.search(r"old .*finished +3 d\s", shown.out)
    assert "sft is a training" in shown.out
    assert "exit 0 (ok): 3 runs in" in shown.err
    assert "(3 finished)" in shown.err


def test_a_run_that_was_interrupted_is_incomplete_and_has_a_score_so_far(capsys, folder, tmp_path):
    """It is computed from the records; nothing of the data is needed."""
    run = _copy(folder, tmp_path)
    lines = (run / "records-0.jsonl").read_text().splitlines(keepends=True)
    (run / "records-0.jsonl").write_text("".join(lines[:9]))
    (run / "summary.json").unlink()
    (run / "records.parquet").unlink()
    found = _listed(capsys, run.parent)[0]["new"]
    assert (found["state"], found["answered"], found["asked"]) == ("incomplete", 9, 12)
    records = [r for r in read_records(run) if r.task == "mvbench"]
    mean = 100 * sum(r.value for r in records) / len(records)
    assert found["tasks"]["mvbench"]["score"] == pytest.approx(mean)
    assert found["tasks"]["mvbench"]["items"] == 6
    code, out, last = _shown(capsys, run)
    assert code == 0
    assert "incomplete, 9 of 12 answers" in last
    assert "3 items without a record" in out or "items without a record" in out


def test_a_run_that_a_process_writes_is_running(capsys, folder, tmp_path):
    """The lock of its folder tells."""
    run = _copy(folder, tmp_path)
    with locked(run):
        assert _listed(capsys, run.parent)[0]["new"]["state"] == "running"
    assert _listed(capsys, run.parent)[0]["new"]["state"] == "finished"


def test_a_run_without_a_single_answer_is_failed(capsys, folder, tmp_path):
    """All its videos were broken, or its server refused every question."""
    run = _copy(folder, tmp_path)
    failure = {"stage": "media", "error": "MediaError", "message": "broken"}
    lines = [json.loads(line) for line in (run / "records-0.jsonl").read_text().splitlines()]
    lines = [line | {"outcome": "failed", "value": None, "failure": failure} for line in lines]
    (run / "records-0.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = _listed(capsys, run.parent)[0]["new"]
    assert (found["state"], found["answered"], found["failed"]) == ("failed", 0, 12)
    assert found["tasks"]["mvbench"]["score"] is None
    code, out, last = _shown(capsys, run)
    assert code == 0
    assert "12 x media: MediaError: broken" in out
    assert "12 failed" in last


@pytest.mark.parametrize("name", ["run.json", "records-0.jsonl"])
def test_a_damaged_run_costs_no_other(capsys, folder, tmp_path, name):
    """It is in the list with what is wrong with it."""
    run, other = _copy(folder, tmp_path), _copy(folder, tmp_path, "old")
    (run / name).write_text("{damaged\n" * 2)
    (run / "records.parquet").unlink()
    runs, _ = _listed(capsys, other.parent)
    assert runs["old"]["state"] == "finished"
    assert runs["new"]["state"] == "failed"
    assert name in runs["new"]["problem"]


def test_an_empty_folder_and_none_at_all(capsys, tmp_path):
    """No run is no error, no folder is a wrong usage."""
    assert main(["runs", str(tmp_path)]) == 0
    assert "0 runs in" in capsys.readouterr().err
    assert main(["runs", str(tmp_path / "none")]) == 2


def test_show_prints_what_the_end_of_the_run_printed(capsys, demo_data, tmp_path):
    """Table by table, word by word, and without the data."""
    data, run = tmp_path / "data", tmp_path / "run"
    shutil.copytree(demo_data, data)
    words = ["eval", "guesser", "--data", str(data), "--tasks", "mvbench,tempcompass", *ASK]
    assert main([*words, "--limit", "8", "--out", str(run)]) == 0
    printed = capsys.readouterr().out
    shutil.rmtree(data)
    code, shown, last = _shown(capsys, run)
    assert code == 0
    assert shown.endswith(printed)
    assert "finished, 16 of 16 answers" in last
    (run / "summary.json").unlink()
    without_timing = printed[: printed.index("\n16 items in ")]
    assert without_timing in _shown(capsys, run)[1]


def test_show_accounts_for_replicas_and_passes_over_damaged_ones(capsys, folder, tmp_path):
    """Which of them answered what, and why one was lost, as at the end of the run."""
    run = _copy(folder, tmp_path)
    summary = json.loads((run / "summary.json").read_text())
    one = {"replica": "r0", "where": "node1", "items": 9, "videos": 3, "lost": None, "answer_s": 3}
    lost = {**one, "replica": "r1", "lost": "killed by signal 9", "answer_s": None}
    summary["replicas"] = [one, lost, {"items": "many"}, 7]
    (run / "summary.json").write_text(json.dumps(summary))
    code, out, _ = _shown(capsys, run)
    assert code == 0
    assert re.search(r"r0 +9 +3 +3\.0 +- +ended", out)
    assert "r1 was lost: killed by signal 9" in " ".join(out.split())


def test_an_old_run_is_shown_with_what_it_lacks(capsys, folder):
    """It has scores and answers, and no question."""
    code, out, last = _shown(capsys, folder / "old")
    assert code == 0
    assert "mvbench" in out
    first = read_records(folder / "old")[0]
    code, out, last = _shown(capsys, folder / "old", first.id)
    assert code == 0
    assert f"gold      {first.gold}" in out
    assert "has no samples.jsonl: it was made before questions were kept" in last


def test_an_item_is_shown_with_question_frames_and_answer(capsys, folder):
    """Options with the gold one marked, frames with their times, text, rule and outcome."""
    run = folder / "new"
    record = next(r for r in read_records(run) if r.task == "mvbench")
    sample = next(
        json.loads(line) for line in (run / "samples.jsonl").read_text().splitlines()
        if json.loads(line)["id"] == record.id
    )  # fmt: skip
    code, out, last = _shown(capsys, run, record.id)
    assert code == 0
    assert f"question  {sample['question']}" in out
    for letter, option in zip("ABCD", sample["options"], strict=False):
        gold = "  (gold)" if letter == record.gold else ""
        assert f"  {letter}. {option}{gold}\n" in out
    index, at = record.frame_indices[0][1], record.timestamps[0][1]
    assert f"{index} ({at:.2f} s)" in out
    assert f"text      {record.text}" in out
    assert f"outcome   {record.outcome}, value {record.value:g}, scorer {record.scorer}" in out
    assert sample["media"][0]["path"] in out
    assert last == f"exit 0 (ok): {record.id}: {record.outcome}"
    assert sample["prompt"].splitlines()[-1] not in out
    assert sample["prompt"].splitlines()[-1] in _shown(capsys, run, record.id, "--prompt")[1]


def test_every_repeat_of_an_item_is_shown(capsys, folder):
    """One after another, the question once."""
    record = read_records(folder / "deep" / "twice")[0]
    _, out, last = _shown(capsys, folder / "deep" / "twice", record.id)
    assert out.count("question ") == 1
    assert "repeat 1 of 2" in out
    assert "repeat 2 of 2" in out
    assert last.count(",") == 1


def test_the_end_of_an_id_is_enough_where_one_item_has_it(capsys, folder):
    """Several are named, and a wrong one is answered with those that are near."""
    assert _shown(capsys, folder / "new", "action_antonym/0")[0] == 0
    ends = Counter(record.id.rpartition("/")[2] for record in read_records(folder / "old"))
    [(end, count)] = ends.most_common(1)
    code, _, last = _shown(capsys, folder / "old", end)
    assert code == 2
    assert f"{count} items end in {end!r}: " in last
    code, _, last = _shown(capsys, folder / "new", "mvbench/action_antonyms/0")
    assert code == 2
    assert "such as mvbench/action_antonym/0" in last


def test_an_item_as_json_is_what_the_files_hold(capsys, folder):
    """For programs: the question and every record of it."""
    record = read_records(folder / "deep" / "twice")[0]
    _, out, _ = _shown(capsys, folder / "deep" / "twice", record.id, "--format", "json")
    content = json.loads(out)
    assert content["sample"]["id"] == record.id
    assert [one["repeat"] for one in content["records"]] == [0, 1]


def test_other_folders_are_named_for_what_they_are(capsys, folder, tmp_path):
    """A training has a command of its own."""
    code, _, last = _shown(capsys, folder / "sft")
    assert code == 2
    assert "it is a training (videor1 train show)" in last
    code, _, last = _shown(capsys, tmp_path)
    assert code == 2
    assert "not a run directory" in last
