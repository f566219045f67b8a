"""Lifetimes of signals in Redis."""

DAY_MS = 86_400_000

SIGNAL_TTL_MS = 30 * DAY_MS
"""Default time to live of signals, from the time of the newest event."""
AGED_AFTER_MS = SIGNAL_TTL_MS // 2
"""Age after which a reader reports signals as `aged`."""

TOMBSTONE_MS = 400 * DAY_MS
"""Default time for which a wipe is remembered after the user's last event; events of that age must not come again."""
