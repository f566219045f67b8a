"""Shards of users on disk."""
