"""Servers that sample completions for a training: how they start, and how they are asked."""
