"""Hand-over from a finished replay to a live run."""
