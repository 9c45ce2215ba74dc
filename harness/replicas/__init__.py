"""Spreads an evaluation over several engines: videos are leased to replicas."""
