"""Rejects for an operator: read, found at their origin, explained, and fed back once."""
