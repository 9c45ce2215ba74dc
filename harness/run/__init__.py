"""One evaluation: its plan, its loop, its folder on disk and its summary."""
