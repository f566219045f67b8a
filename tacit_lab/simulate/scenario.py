"""Scenario of a simulation: counts of users and turns, and shares of events and faults."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from tacit.errors import ConfigurationError

MINUTE_MS = 60 * 1000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Parameters of a simulation; numbers of type float are shares, 0–1.

    Raises:
        ConfigurationError: a parameter is out of range; the error has a sentence for each.
    """

    end_ms: int
    """Newest event time, epoch milliseconds."""
    users: int = 1000
    turns: int = 60_000
    seed: int = 1
    region: str = "eu"
    days: int = 58

    abrupt: float = 0.3
    """Users with a sudden change of taste."""
    gradual: float = 0.3
    """Users with a slow change of taste, over a quarter of the time since joining."""
    topical: float = 0.0
    """Users with topic effects of their own, in addition to those on all users."""

    never_consents: float = 0.08
    opts_out: float = 0.04
    opts_in_again: float = 0.25
    """Share of the users with an opt-out."""
    pins: float = 0.06
    """Users with a pin of one facet."""
    unpins: float = 0.3
    """Share of the users with a pin."""
    forgets: float = 0.01

    explored: float = 0.8
    """Turns in a random style; other turns have the catalogue's default style."""
    feedback: float = 0.6
    """Turns with feedback."""
    later_feedback: float = 0.3
    """Feedback in a second event of its turn."""
    directed: float = 0.3
    """Dislikes that become directed feedback, such as "shorter", if a facet was not served at the user's best value."""
    narrowed: float = 0.05
    """Other dislikes that name the facet farthest from the user's best value."""

    duplicates: float = 0.01
    """Share of all valid events."""
    out_of_order: float = 0.05
    """Turns that arrive minutes or hours after their event time."""

    not_json: float = 0.0005
    """Broken records, in addition to the turns, as a share of the turns; so are the numbers below."""
    invalid: float = 0.001
    too_large: float = 0.0001
    unknown_schema: float = 0.0005
    not_in_catalogue: float = 0.001
    wrong_region: float = 0.001
    late: float = 0.002
    """Share of the turns of users without a wipe, at least two days after their consent."""

    def __post_init__(self) -> None:
        if problems := list(self._problems()):
            raise ConfigurationError(problems)

    def _problems(self) -> Iterator[str]:
        for name, least in (("users", 1), ("turns", 1), ("days", 3), ("seed", 0)):
            if (number := getattr(self, name)) < least:
                yield f"{name}: {number}; must be at least {least}"
        if self.end_ms < self.days * DAY_MS:
            yield f"end_ms: {self.end_ms}; must be epoch milliseconds, at least {self.days} days after 1970"
        for field in fields(self):
            if field.type is float and not 0 <= (share := getattr(self, field.name)) <= 1:
                yield f"{field.name}: {share}; must be a share from 0 to 1"
        if self.abrupt + self.gradual > 1:
            yield f"abrupt and gradual: {self.abrupt} and {self.gradual}; must be at most 1 together"

    @property
    def start_ms(self) -> int:
        """Start of the history, epoch milliseconds."""
        return self.end_ms - self.days * DAY_MS
