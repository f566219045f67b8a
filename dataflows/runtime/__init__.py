"""Execution of a run: processes, signals and recovery."""
