"""Builds leaderboards: any number of runs in one table that a paper can print.

``entries`` reads run directories, ``cells`` computes scores, ``ranks`` computes the ranks that the
data allow, ``leaderboard`` decides which runs may be compared, and ``table`` turns the result into
short texts that ``text``, ``markdown``, ``latex`` and ``html`` print. ``data`` writes CSV and JSON.
"""
