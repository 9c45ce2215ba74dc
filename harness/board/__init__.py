"""Leaderboards: any number of runs in one table that a paper can print.

``entries`` reads runs, ``scores`` makes their numbers, ``ranks`` says which ranks the data allow,
``table`` decides what is compared with what; every other module writes one format.
"""
