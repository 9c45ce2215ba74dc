from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli import main
from harness.cli.doctor import MachineFact, examine


def facts(data: Path) -> dict[str, MachineFact]:
    """Return the facts by name."""
    return {fact.name: fact for fact in examine(data)}


@pytest.fixture
def found(tmp_path: Path) -> dict[str, MachineFact]:
    return facts(tmp_path / "data")


def test_working_machine_has_a_working_core(found: dict[str, MachineFact]) -> None:
    """Where these tests run, nothing that an evaluation needs is broken."""
    assert [fact for fact in found.values() if fact.broken] == []
    assert "4 frames" in found["test clip"].value


def test_core_packages_are_listed_with_versions(found: dict[str, MachineFact]) -> None:
    """What the project requires is shown, tools for its development are not."""
    assert found["decord"].value == "0.6.0"
    assert "pytest" not in found


def test_absent_benchmarks_say_how_to_bring_them(found: dict[str, MachineFact]) -> None:
    """A benchmark without a folder is no problem and comes with its command."""
    assert found["vsibench"].value.endswith("`videor1 data fetch vsibench` downloads it")


def test_malformed_benchmark_is_shown_not_raised(tmp_path: Path) -> None:
    """A broken question file is one line of the report."""
    (tmp_path / "vsibench").mkdir()
    (tmp_path / "vsibench/test.jsonl").write_text("{")
    fact = facts(tmp_path)["vsibench"]
    assert "not valid JSON" in fact.value
    assert not fact.broken


def test_token_is_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report says that there is a token and nothing more about it."""
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert main(["doctor", "--data", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert "present" in printed.out
    assert "hf_secret" not in printed.out + printed.err
