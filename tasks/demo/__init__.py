"""The demo: generated clips in the publishers' layouts, and the command that evaluates on them."""
