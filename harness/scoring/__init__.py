"""Prompts, answer extraction, metrics and scoring rules, for evaluation and rewards."""
