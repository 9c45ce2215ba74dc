"""Training rows: reading, checking and annotating them."""
