"""Settings of all tests: hypothesis has no deadline, since a busy machine would break it."""

from importlib.util import find_spec

if find_spec("hypothesis"):  # the environment with engines has none
    from hypothesis import settings

    settings.register_profile("no-deadline", deadline=None)
    settings.load_profile("no-deadline")
