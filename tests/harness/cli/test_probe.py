"""``videor1 probe`` from start to end: exit codes, formats, resume, servers, bad input."""

import json
import shutil
from pathlib import Path

import pytest

from harness.cli import main
from harness.probe.summary import read_probe
from harness.run.store import read_records
from harness.schema import Outcome
from tests.stub_server import Stub, answer

SMALL = [
    "--limit", "8", "--max-frames", "4", "--max-pixels", "18816", "--workers", "2",
    "--tasks", "vsibench",
]  # fmt: skip
FAKE = ["--backend", "fake", *SMALL]


@pytest.fixture
def data(demo_data, tmp_path):
    """VSI-Bench of the demo, which a test may damage."""
    shutil.copytree(demo_data / "vsibench", tmp_path / "data" / "vsibench")
    return tmp_path / "data"


def _probe(data, out, *flags, model="guesser"):
    return main(["probe", model, "--data", str(data), "--out", str(out), *flags])


def _last_line(capsys):
    return capsys.readouterr().err.splitlines()[-1]


def test_one_command_prints_one_table_and_says_what_is_done(data, tmp_path, capsys):
    """Scores, differences and agreement; a finished probe is a no-op."""
    assert _probe(data, tmp_path / "p", *FAKE) == 0
    printed = capsys.readouterr()
    for heading in ("ordered minus", "same option", "vsibench by category", "temporal gain"):
        assert heading in " ".join(printed.out.split())
    assert printed.err.splitlines()[-1].startswith("exit 0 (ok): 44 answers in 6 variants in")
    before = {path: path.read_bytes() for path in (tmp_path / "p").glob("*/records-0.jsonl")}
    assert _probe(data, tmp_path / "p", *FAKE) == 0
    assert before == {path: path.read_bytes() for path in before}


def test_tables_are_no_wider_than_a_narrow_terminal(data, tmp_path, capsys, monkeypatch):
    """At 80 columns no interval is broken within a number."""
    monkeypatch.setenv("COLUMNS", "80")
    assert _probe(data, tmp_path / "p", *FAKE) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_results_are_written_as_json_and_markdown(data, tmp_path):
    """JSON is what probe.json holds; Markdown is appended to what is there."""
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    reports = ["--json", str(tmp_path / "p.json"), "--summary", str(summary)]
    assert _probe(data, tmp_path / "p", *FAKE, *reports) == 0
    assert json.loads((tmp_path / "p.json").read_text()) == json.loads(
        (tmp_path / "p" / "probe.json").read_text()
    )
    assert summary.read_text().startswith("before\n## videor1 probe: guesser\n")


def test_a_dry_run_writes_nothing_and_counts_each_variant(data, tmp_path, capsys):
    """Protocol, items and what is not asked."""
    assert _probe(data, tmp_path / "p", *FAKE, "--dry-run") == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "variant ordered: 8 items" in printed
    assert "variant options: 4 items" in printed
    assert "not asked: 4 of 8 questions (not multiple choice)" in printed
    assert not (tmp_path / "p").exists()


def test_the_default_folder_names_model_protocol_and_probe(data, tmp_path, capsys, monkeypatch):
    """And whatever may not be mixed."""
    monkeypatch.chdir(tmp_path)
    words = ["probe", "guesser", "--data", str(data), *FAKE, "--variants", "ordered,blind"]
    assert main(words) == 0
    [folder] = (tmp_path / "results/runs").iterdir()
    assert folder.name.startswith("guesser-video-r1-probe-limit8-4frames-")


def test_a_damaged_video_costs_its_questions_in_the_variants_that_see_it(data, tmp_path, capsys):
    """They are failures in each, blind answers them; the probe is incomplete and names why."""
    next((data / "vsibench").rglob("*.mp4")).write_bytes(b"no video")
    flags = [flag for flag in FAKE if flag not in ("--limit", "8")]
    assert _probe(data, tmp_path / "p", *flags) == 4
    printed = capsys.readouterr()
    assert "shuffled:" in printed.err.splitlines()[-1]
    assert "blind:" not in printed.err.splitlines()[-1]
    assert "Failed items" in printed.out
    measure = read_probe(tmp_path / "p").measures["temporal_gain"]["vsibench"]
    assert measure.left_out["failed"] > 0
    failed = [r for r in read_records(tmp_path / "p" / "ordered") if r.outcome is Outcome.FAILED]
    assert measure.total.n == 128 - len(failed)
    assert _probe(data, tmp_path / "p", *flags, "--max-failures", str(len(failed))) == 0


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--variants", "blind"], "expected ordered"),
        (["--variants", "ordered,upside-down"], "expected each of"),
        (["--variant", "blind"], "unrecognized arguments"),
        (["--option-rotation", "1"], "unrecognized arguments"),
        (["--tasks", "nothing"], "unknown task 'nothing'"),
        (["--data", "/nowhere"], "no such data folder"),
        (["--limit", "0"], "limit"),
    ],
)
def test_wrong_usage_ends_with_2_and_names_it(flags, message, data, tmp_path, capsys):
    """Before anything is decoded."""
    assert _probe(data, tmp_path / "p", *FAKE, *flags) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "p").exists()


def test_a_folder_of_another_probe_is_refused_with_the_field(data, tmp_path, capsys):
    """As `eval` refuses a run of something else."""
    assert _probe(data, tmp_path / "p", *FAKE) == 0
    assert _probe(data, tmp_path / "p", *FAKE, "--max-frames", "8") == 2
    assert "frames.max_frames: 4 != 8" in _last_line(capsys)


def test_several_servers_share_the_videos_of_all_variants(data, tmp_path):
    """Every variant is complete, every video was asked about at one server, and both worked."""
    stubs = [Stub(), Stub()]
    try:
        for stub in stubs:
            stub.reply = lambda text, body: answer("<answer>A</answer>")
        urls = ",".join(stub.url for stub in stubs)
        flags = [flag for flag in SMALL if flag not in ("--limit", "8")]
        assert _probe(data, tmp_path / "p", "--base-url", urls, *flags, model="m") == 0
    finally:
        for stub in stubs:
            stub.close()
    probe = read_probe(tmp_path / "p")
    assert probe.engine_starts == 0
    assert {account["items"] > 0 for account in probe.replicas} == {True}
    assert sum(account["items"] for account in probe.replicas) == 128 * 5 + 64
    assert probe.timing["decode"]["decodes"] == 32
    assert probe.timing["answer_s"] > 0
    for name in probe.variants:
        records = read_records(tmp_path / "p" / name)
        assert len({record.id for record in records}) == (64 if name == "options" else 128)


def test_replicas_of_served_models_are_refused(data, tmp_path, capsys):
    """Servers are named one by one."""
    stub = Stub()
    try:
        flags = [*SMALL, "--base-url", stub.url, "--replicas", "2"]
        assert _probe(data, tmp_path / "p", *flags, model="m") == 2
    finally:
        stub.close()
    assert "name every server in --base-url" in _last_line(capsys)


def test_settings_may_come_from_a_file(data, tmp_path):
    """The keys are the flags; variants among them."""
    config = tmp_path / "probe.toml"
    config.write_text(
        f'tasks = ["vsibench"]\ndata = "{data}"\nvariants = ["ordered", "single"]\nlimit = 4\n'
        "max_frames = 4\n[engine]\nbackend = 'fake'\n[decode]\nworkers = 1\n"
    )
    assert main(["probe", "x", "--config", str(config), "--out", str(tmp_path / "p")]) == 0
    assert set(read_probe(tmp_path / "p").variants) == {"ordered", "single"}
    assert not Path(tmp_path / "p" / "blind").exists()
