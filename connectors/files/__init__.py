"""Event files and reject files."""
