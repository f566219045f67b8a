"""Move of a state folder and of Redis to another secret, while workers are stopped."""
