"""Handles text that comes from outside: datasets, models, servers, files and folder names.

``stored`` says what is kept of it, ``shown`` escapes it for each medium, ``console`` makes the
consoles that commands print with.
"""
