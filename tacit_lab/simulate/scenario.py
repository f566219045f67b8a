"""What to simulate: how many users and turns, and how often each thing happens."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from tacit.errors import ConfigurationError

MINUTE_MS = 60 * 1000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A simulation's parameters; all numbers of type float are shares, 0–1.

    Raises:
        ConfigurationError: with a sentence for each parameter that cannot work.
    """

    end_ms: int
    """No event is younger than this, except the deliberately `future` ones."""
    users: int = 1000
    turns: int = 60_000
    seed: int = 1
    region: str = "eu"
    days: int = 58

    abrupt: float = 0.3
    """Users whose taste changes from one moment to the next."""
    gradual: float = 0.3
    """Users whose taste changes over a quarter of their time here."""

    never_consents: float = 0.08
    opts_out: float = 0.04
    opts_in_again: float = 0.25
    """Of those who opted out."""
    pins: float = 0.06
    """Users who set one facet themselves."""
    unpins: float = 0.3
    """Of those who pinned."""
    forgets: float = 0.01

    explored: float = 0.8
    """Turns served in a style drawn at random; the others in the catalogue's default style."""
    feedback: float = 0.6
    """Turns that get feedback."""
    later_feedback: float = 0.3
    """Feedback that comes as a second event of its turn."""
    directed: float = 0.3
    """Dislikes that state "shorter" or the like, where a facet was served off the user's best."""
    narrowed: float = 0.05
    """Other dislikes that name the facet that disappointed most."""

    duplicates: float = 0.01
    """Of all events that are not broken."""
    out_of_order: float = 0.05
    """Turns that arrive minutes or hours after they happened."""

    not_json: float = 0.0005
    """This and all below: broken records, on top of the turns and relative to their number."""
    invalid: float = 0.001
    too_large: float = 0.0001
    unknown_schema: float = 0.0005
    not_in_catalogue: float = 0.001
    future: float = 0.0005
    wrong_region: float = 0.001
    late: float = 0.002
    """Relative to the turns of users who consented two days before or earlier, and whose data is never wiped."""

    def __post_init__(self) -> None:
        if problems := list(self._problems()):
            raise ConfigurationError(problems)

    def _problems(self) -> Iterator[str]:
        for name, least in (("users", 1), ("turns", 1), ("days", 3), ("seed", 0)):
            if (number := getattr(self, name)) < least:
                yield f"{name}: {number}; at least {least} is needed"
        if self.end_ms < self.days * DAY_MS:
            yield f"end_ms: {self.end_ms}; epoch milliseconds that leave room for {self.days} days are needed"
        for field in fields(self):
            if field.type is float and not 0 <= (share := getattr(self, field.name)) <= 1:
                yield f"{field.name}: {share}; a share from 0 to 1 is needed"
        if self.abrupt + self.gradual > 1:
            yield f"abrupt and gradual: {self.abrupt} and {self.gradual}; together they are at most 1"

    @property
    def start_ms(self) -> int:
        """The first moment of the history."""
        return self.end_ms - self.days * DAY_MS
