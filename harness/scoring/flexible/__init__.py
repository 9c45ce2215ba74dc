"""Reads answers as a careful reader would: the option or number that a reply says, or none."""
