"""The state of a user."""
