"""Tells a model's thought from its answer: marks, chat templates, and the split of a reply."""
