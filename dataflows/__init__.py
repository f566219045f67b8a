"""Wiring only: which parts, in which order."""
