"""Windows of zstd files: the text that a decompressor holds in memory, in MiB."""

WINDOW_MIB = 128
"""Largest window without a setting, as of `zstd -d`."""

MAX_WINDOW_MIB = 2048
"""Largest window of libzstd, as of `zstd -d --long=31`."""
