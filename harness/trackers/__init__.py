"""Sends scores and tables to experiment trackers: wandb, trackio, tensorboard.

``api`` says what a tracker takes, one module per tracker sends it, ``choose`` finds them by name,
``guard`` keeps their failures and their output away from a command, ``redact`` their secrets.
"""
