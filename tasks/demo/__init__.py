"""The embedded default: clips in the publishers' layouts, and a command that asks about them."""
