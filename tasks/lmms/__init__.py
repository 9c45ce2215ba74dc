"""lmms-eval both ways: its scores and tasks in this harness, this harness's engines in its command.

Nothing here imports lmms-eval before it is used: the package is the optional extra ``lmms``.
"""
