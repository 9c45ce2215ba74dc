"""What all tests share: settings, and the demo's data, drawn once per process."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # Torch would start as many threads as there are processors in each of the test processes.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

if find_spec("hypothesis"):  # the environment with engines has none; a busy machine is slow
    from hypothesis import settings

    settings.register_profile("no-deadline", deadline=None)
    settings.load_profile("no-deadline")


@pytest.fixture(scope="session")
def demo_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's four benchmark folders; who writes into them makes a copy."""
    from tasks.demo.layouts import write_all

    folder = tmp_path_factory.mktemp("demo") / "data"
    write_all(folder)
    return folder
