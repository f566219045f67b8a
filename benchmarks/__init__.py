"""Benchmarks of CPU per event, rate, latency, memory and learning, each with a comparison in the same run."""
