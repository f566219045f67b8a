"""Sending: events of an answer and of the user's decisions, on their way to the workers."""
