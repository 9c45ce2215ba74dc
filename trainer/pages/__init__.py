"""Pages about training rows and training runs, in the style of the report."""
