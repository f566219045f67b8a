"""Times of a command line: each form, and times that mean nothing or two things."""

import pytest

from connectors.kafka.times import parse_time, time_text
from tacit.errors import ConfigurationError

NOON_MS = 1_795_262_400_000
"""2026-11-21, 12:00 in UTC."""


@pytest.mark.parametrize(
    "text",
    [
        str(NOON_MS),
        "2026-11-21T12:00Z",
        "2026-11-21T12:00:00.000Z",
        "2026-11-21 13:00:00+01:00",
        "20261121T070000-0500",
    ],
)
def test_forms_of_one_time_are_equal(text: str) -> None:
    """A zone is Z or an offset."""
    assert parse_time(text) == NOON_MS


def test_date_is_its_beginning_in_utc() -> None:
    """So --from and --to of two dates are whole days."""
    assert parse_time("2026-11-21") == NOON_MS - 12 * 3_600_000
    assert time_text(NOON_MS) == "2026-11-21T12:00:00.000Z"


@pytest.mark.parametrize("text", ["2026-11-21T12:00", "2026-11-21 12:00:00", "20261121T120000"])
def test_time_without_a_zone_is_an_error(text: str) -> None:
    """The zone of a machine is not that of its user."""
    with pytest.raises(ConfigurationError, match="has no zone: add Z for UTC"):
        parse_time(text)


@pytest.mark.parametrize("text", ["9" * 16, "1969-12-31"])
def test_time_of_no_record_is_an_error(text: str) -> None:
    """Microseconds in place of milliseconds are found."""
    with pytest.raises(ConfigurationError, match="is no time of a record"):
        parse_time(text)


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "2026-11", "١٢٣", "-5", "1.5", "2026-11-21T25:00Z"])
def test_other_text_is_no_time(text: str) -> None:
    """Another form may fit."""
    assert parse_time(text) is None
