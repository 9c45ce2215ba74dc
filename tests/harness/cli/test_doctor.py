from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli import main
from harness.cli.doctor import Finding, examine


def findings(data: Path) -> dict[str, Finding]:
    """Return the findings by name."""
    return {finding.name: finding for finding in examine(data)}


@pytest.fixture
def found(tmp_path: Path) -> dict[str, Finding]:
    return findings(tmp_path / "data")


def test_working_machine_has_a_working_core(found: dict[str, Finding]) -> None:
    """Where these tests run, nothing that an evaluation needs is broken."""
    assert [finding for finding in found.values() if finding.broken] == []
    assert "4 frames" in found["test clip"].value


def test_core_packages_are_listed_with_versions(found: dict[str, Finding]) -> None:
    """What the project requires is shown, tools for its development are not."""
    assert found["decord"].value == "0.6.0"
    assert "pytest" not in found


def test_absent_benchmarks_say_how_to_bring_them(found: dict[str, Finding]) -> None:
    """A benchmark without a folder is no problem and comes with its command."""
    assert found["vsibench"].value.endswith("`videor1 data fetch vsibench` brings it")


def test_malformed_benchmark_is_shown_not_raised(tmp_path: Path) -> None:
    """A broken question file is one line of the report."""
    (tmp_path / "vsibench").mkdir()
    (tmp_path / "vsibench/test.jsonl").write_text("{")
    finding = findings(tmp_path)["vsibench"]
    assert "not valid JSON" in finding.value
    assert not finding.broken


def test_token_is_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report says that there is a token and nothing more about it."""
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert main(["doctor", "--data", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert "present" in printed.out
    assert "hf_secret" not in printed.out + printed.err
