"""Simulation, evaluation and an embedded Redis."""
