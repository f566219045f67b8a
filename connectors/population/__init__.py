"""Versions of the population model: stores, sink and feed."""
