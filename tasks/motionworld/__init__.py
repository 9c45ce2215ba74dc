"""A world of small clips with exact answers: training rows, and a benchmark of its own."""
