"""Outbox of a user: the signals of a batch that wait to be written.

Only the last signal of each facet in a batch is written, so signals are made when writes are taken.
"""

from state.learning.decisions import Finding


class Outbox:
    """The waiting signals of a user."""

    def __init__(self) -> None:
        self.findings: dict[int, Finding] = {}
        """Facet → the last signal to write."""
        self.profile: tuple[bytes, int, int] | None = None
        """Row, event time and count of events of the last profile to write."""
        self.at_ms = 0
        """Event time of the newest signal or profile that waits."""
        self.explores: bool | None = None
        """Other values may be tried, decided before an absence; None: the present consent decides."""

    def __bool__(self) -> bool:
        return bool(self.findings or self.profile)
