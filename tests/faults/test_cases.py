"""Every input of the shared cases gives what its README calls right; these are the quick ones."""

from __future__ import annotations

import pytest

from tests.faults.cases import CASES, Case, all_cases

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason=f"no cases in {CASES}")
QUICK = [case for case in all_cases() if not case.heavy and not case.long]


@pytest.mark.slow
@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
def test_a_shared_case_gives_what_is_right(tmp_path, case: Case) -> None:
    """`python -m tests.faults.cases` shows all of them in a table."""
    found = case.look(tmp_path)
    assert found.holds, f"right: {case.right}; got: {found.gives}"
