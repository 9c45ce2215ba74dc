"""Talks to OpenAI-compatible servers: one request, its limits, and what the reply says."""
