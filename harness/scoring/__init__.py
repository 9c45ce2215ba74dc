"""Prompts, answer extraction, metrics and scoring rules; used by evaluation and by rewards."""
