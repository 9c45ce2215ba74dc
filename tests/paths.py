"""Where things lie that tests read."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The checkout."""
SHARED = ROOT.parent / "shared"
"""Real data beside the checkout; tests that need it skip where it is absent."""
FIXTURES = ROOT / "tests" / "fixtures"
