"""Evaluation of each checkpoint while a training runs."""
