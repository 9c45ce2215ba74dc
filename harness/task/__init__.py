"""The interface of benchmarks, the registry of installed ones, and protocols."""
