"""Report of a replay."""
