"""Rewards of completions, and where they differ from the evaluation's scores."""
