"""Times in texts: ISO 8601 with a zone, dates in UTC, and epoch milliseconds."""

from datetime import UTC, date, datetime

from tacit.contract.events import MAX_AT_MS
from tacit.errors import ConfigurationError


def parse_time(text: str) -> int | None:
    """Return the epoch milliseconds of a time; None for a text of another form.

    >>> parse_time("1795297433438"), parse_time("2026-11-21"), parse_time("soon")
    (1795297433438, 1795219200000, None)
    >>> parse_time("2026-11-21T09:30:00+01:00") == parse_time("2026-11-21T08:30Z")
    True

    Raises:
        ConfigurationError: a time without a zone, or one that no record can have.
    """
    if text.isascii() and text.isdigit():
        return _checked(text, int(text))
    if not text.isascii() or not text[:4].isdigit():
        return None
    try:
        if len(text) == len("2026-11-21"):
            day = date.fromisoformat(text)
            return _checked(text, _milliseconds(datetime(day.year, day.month, day.day, tzinfo=UTC)))
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        raise ConfigurationError([f"{text!r} has no zone: add Z for UTC, or an offset such as +01:00"])
    return _checked(text, _milliseconds(at))


def time_text(at_ms: int) -> str:
    """Return a time as ISO 8601 in UTC.

    >>> time_text(1795297433438)
    '2026-11-21T21:43:53.438Z'
    """
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _checked(text: str, at_ms: int) -> int:
    if not 0 <= at_ms <= MAX_AT_MS:
        raise ConfigurationError(
            [f"{text!r} is no time of a record: use 1970 to 2286, in milliseconds if it is a number"]
        )
    return at_ms
