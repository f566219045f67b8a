"""The catalogue with numbers for names."""
