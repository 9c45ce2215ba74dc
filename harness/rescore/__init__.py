"""Scores stored responses without a model.

``rescore`` scores a run again with another scorer, ``reasons`` classifies why two scorers disagree,
``report`` prints what changed, ``responses`` scores texts that were generated elsewhere.
"""
