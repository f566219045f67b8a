"""The state of one user."""
