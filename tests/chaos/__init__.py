"""Chaos: real processes, a real Kafka and a real Redis, killed and starved at random moments from a seed.

`python -m tests.chaos` runs it for long; `test_chaos.py` is one of each fault.
"""
