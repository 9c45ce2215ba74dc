"""Evaluate each checkpoint of a training run while it trains."""
