"""Download of benchmark data at pinned revisions."""
