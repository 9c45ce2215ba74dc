"""What the tests of several pages share."""

import pytest


@pytest.fixture(scope="session")
def demo_data(tmp_path_factory):
    """The demo's four benchmark folders; tests must not write into them."""
    from tasks.demo.layouts import write_all

    folder = tmp_path_factory.mktemp("demo") / "data"
    write_all(folder)
    return folder
