"""Parity: a sample of live users' history, run again and compared with what is served."""
