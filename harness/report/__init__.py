"""Builds reports: a folder of pages with the scores of runs and every item with its frames.

``runs`` finds the run directories, ``answers`` reads their records without the texts, ``scores``
and ``compare`` compute what the first page shows. ``items``, ``details`` and ``frames`` write what
the page's scripts load: an index of all items, their texts in blocks, and one picture per video.
``build`` does all of it in order, ``page`` fills the template.
"""
