"""Estimates of tokens and memory before a training run."""
