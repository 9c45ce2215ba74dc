"""What a benchmark has to provide, which benchmarks there are, and what a number means."""
