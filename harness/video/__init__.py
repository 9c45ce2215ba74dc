"""Frames of media files: reading, sampling, resizing, caching, decoding in worker processes."""
