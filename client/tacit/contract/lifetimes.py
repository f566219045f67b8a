"""Lifetimes of keys in Redis. docs/contract.md has the table of all keys and fields."""

DAY_MS = 86_400_000

FEED_MS = DAY_MS // 2
"""Age at which a later entry of the feed of changes drops an entry, and time to live of a feed without a new entry."""
FEED_ENTRIES = 4096
"""Most entries in the feed of changes, about."""

SIGNAL_TTL_MS = 30 * DAY_MS
"""Default time to live of signals, from the time of the newest event."""
AGED_AFTER_MS = SIGNAL_TTL_MS // 2
"""Age after which a reader reports signals as `aged`."""

TOMBSTONE_MS = 400 * DAY_MS
"""Default time for which wipes and removed pins are remembered: in a gate without a "no" and without a pin, from their
event time; in a user's state, from the last event. Events of that age must not come again."""
CONSENT_TTL_MS = 120 * DAY_MS
"""Time to live, from the user's last write, of a gate that has only consents.

A consent lapses after 90 days without an event, and signals expire 30 days after an event."""
