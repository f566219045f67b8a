"""Cuts of a run in object storage: upload, retention, savepoints, and the fetch into a state folder."""
