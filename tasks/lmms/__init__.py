"""lmms-eval both ways: its tasks and scores in this harness, our engines in its command.

lmms-eval is the optional extra ``lmms``; nothing here imports it before it is used.
"""
