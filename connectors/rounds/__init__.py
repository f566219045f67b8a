"""Rounds of a bounded run: its source in rounds, and the open round of a process."""
