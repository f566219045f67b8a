"""Running: processes, signals, recovery."""
