"""Probes on a board: one row per checkpoint, with what its probe measured as columns."""

import csv
import io

import pytest

from harness.cli import main
from harness.probe.summary import read_probe
from tasks.demo.layouts import write_all
from tests.probes import CountingEngine, gold_where, is_in_order, probe_config, probe_with


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two probes, of a model that needs the order and of one that always answers A, and a run."""
    folder = tmp_path_factory.mktemp("board")
    data = folder / "data"
    write_all(data)
    knowing = CountingEngine(gold_where(data, is_in_order))
    probe_with(probe_config(data, folder / "runs/knowing"), knowing, "knowing")
    two = ("ordered", "shuffled")
    probe_with(probe_config(data, folder / "runs/always-a", variants=two), name="always-a")
    return folder / "runs"


def _lines(capsys, *words):
    assert main(["board", *map(str, words), "--format", "csv"]) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def test_a_probe_is_one_row_with_gain_blind_score_and_agreement(folder, capsys):
    """The figures are those of probe.json, with their intervals; what was not asked is empty."""
    lines = _lines(capsys, folder / "knowing", folder / "always-a", "--probes")
    found = {(line["model"], line["task"]): line for line in lines}
    probe = read_probe(folder / "knowing")
    for name in ("temporal_gain", "option_agreement"):
        line = found["knowing", f"vsibench {name}"]
        figure = probe.measure(name, "vsibench")
        assert float(line["score"]) == figure.value
        assert float(line["ci95_low"]) == figure.ci95[0]
    blind = found["knowing", "vsibench blind"]
    assert float(blind["score"]) == probe.variants["blind"].tasks["vsibench"].score
    assert ("always-a", "vsibench temporal_gain") in found
    assert ("always-a", "vsibench blind") not in found
    assert {line["variant"] for line in lines} == {"ordered"}


def test_a_folder_of_probes_stands_for_them(folder, capsys):
    """As a folder of runs stands for its runs."""
    assert _lines(capsys, folder, "--probes") == _lines(
        capsys, folder / "always-a", folder / "knowing", "--probes"
    )


def test_the_notes_say_once_what_each_column_is(folder, capsys):
    """Whichever task has it."""
    assert main(["board", str(folder / "knowing"), "--probes"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    for note in ("ordered minus shuffled frames", "score without frames", "keeps its text"):
        assert printed.count(note) == 1


def test_without_the_flag_a_probe_is_named_and_left_out(folder, capsys):
    """Its variants are runs, and can be named one by one, each with its own label."""
    assert main(["board", str(folder / "knowing")]) == 2
    assert "videor1 board --probes" in capsys.readouterr().err
    lines = _lines(capsys, *(folder / "knowing" / name for name in ("ordered", "options", "blind")))
    assert {line["variant"] for line in lines} == {"ordered", "options", "blind"}


def test_the_flag_without_a_probe_is_refused(folder, capsys):
    """Nothing would be shown."""
    assert main(["board", str(folder / "knowing" / "blind"), "--probes"]) == 2
    assert "none of these folders is a finished probe" in capsys.readouterr().err
