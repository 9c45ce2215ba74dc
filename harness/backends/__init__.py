"""Ways to get an answer: engines in process, servers, stored texts and plain functions."""
