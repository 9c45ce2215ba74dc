"""Replicas on Ray: what is said where Ray is not installed, and which settings are refused."""

import pytest

from harness.cli import main
from harness.plugins import is_installed
from harness.run.config import ClusterConfig
from tasks.demo.layouts import write_all


@pytest.mark.skipif(is_installed("ray"), reason="Ray is installed")
def test_without_ray_two_replicas_are_refused_with_the_extra(tmp_path, capsys):
    """One line, exit 2, nothing answered."""
    write_all(tmp_path / "data")
    code = main([
        "eval", "x", "--backend", "fake", "--tasks", "vsibench", "--data", str(tmp_path / "data"),
        "--out", str(tmp_path / "run"), "--replicas", "2",
    ])  # fmt: skip
    assert code == 2
    assert "pip install 'videor1[cluster]'" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0", "-1", "two", "", "1.5"])
def test_numbers_of_replicas_that_cannot_be_are_refused(text):
    """A whole number from 1, or all."""
    with pytest.raises(ValueError, match="replicas: expected a number from 1 or all"):
        ClusterConfig(replicas=text)
