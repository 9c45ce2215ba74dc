"""Benchmarks in a file that the user names: a class in ``.py``, or a table of questions."""
