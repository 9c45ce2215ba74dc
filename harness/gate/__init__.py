"""Decides whether a run is worse than a baseline.

``baseline`` freezes a run into a small file, ``policy`` says what drop is accepted, ``pairing``
matches the items of both sides, ``verdict`` computes differences and decides, ``compare`` does all
of it; ``report`` and ``export`` print the result for people and for programs.
"""
