"""Chaos: real processes, a real Kafka and a real Redis, killed and starved at random moments from a seed.

`python -m tests.chaos` is the long form; `test_chaos.py` injects each fault once.
"""
