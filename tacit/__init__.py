"""The face: what other people import and type."""
