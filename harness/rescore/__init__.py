"""Stored answers scored again by another scorer."""
