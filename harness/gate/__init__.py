"""Regression gates: a run against a frozen baseline."""
