"""Chaos with several hosts: a folder each, cuts in a real S3, and hosts that are lost with their folders."""
