"""The benchmarks: one module each with data layout, prompts, scorers and aggregation."""
