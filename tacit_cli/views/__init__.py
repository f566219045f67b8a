"""Tables and panels."""
