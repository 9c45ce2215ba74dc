"""Asks the same questions with frames in other orders, without them, and with options moved.

A probe is a folder with one run directory per variant and ``probe.json``, which holds the scores
and their paired differences. All variants share one engine and each video is decoded once.
"""
