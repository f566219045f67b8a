"""Hosts of a live run: several machines that start, run and resume together as one cluster."""
