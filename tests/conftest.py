"""Settings of all tests: hypothesis has no deadline, since a busy machine would break it."""

import os
from importlib.util import find_spec

if "PYTEST_XDIST_WORKER" in os.environ:
    # Torch would start as many threads as there are processors in each of the test processes.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

if find_spec("hypothesis"):  # the environment with engines has none
    from hypothesis import settings

    settings.register_profile("no-deadline", deadline=None)
    settings.load_profile("no-deadline")
