"""A benchmark of your own imports what it needs from ``tasks``, at no cost to other programs."""

import subprocess
import sys

import pytest

import tasks
from tests.paths import ROOT


def test_every_exported_name_exists():
    """``from tasks import NAME`` works for each name in ``__all__``."""
    for name in tasks.__all__:
        assert getattr(tasks, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    """A misspelt name is refused as by any module."""
    with pytest.raises(AttributeError, match="no attribute 'Benchmrk'"):
        tasks.Benchmrk  # noqa: B018


def test_importing_the_package_loads_no_other_module_of_it():
    """``import tasks`` is free: nothing is loaded before a name is used."""
    code = "import sys, tasks; print([m for m in sys.modules if m.startswith(('tasks.', 'numpy'))])"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert ran.stdout.strip() == "[]"
