"""Registers of consent and wipes, and their gates.

Any order of events leaves the same content: the times of the last wipe and of the last forget are
maxima, and consent is last-writer-wins by event time.
"""

from state.catalogue.numbered import NumberedCatalogue

UNSET, GRANTED, DENIED = range(3)
"""The user's last choice on consent."""


class Consent:
    """Consent and wipes of a user."""

    __slots__ = ("at_ms", "choice", "forgotten_ms", "gates", "wiped_ms")

    def __init__(self) -> None:
        self.choice = UNSET
        self.at_ms = 0
        """Event time of the last choice; 0: no choice so far."""
        self.wiped_ms = 0
        """Event time of the last wipe: learned state is younger."""
        self.forgotten_ms = 0
        """Event time of the last forget: pins and a granted consent are younger."""
        self.gates: list[tuple[int, int, bool]] = []
        """Unwritten gates: (wiped_ms, at_ms, opted out) after each control event, so that no "no" hides behind a later
        "yes"."""

    @property
    def opted_out(self) -> bool:
        """The last choice was "no"."""
        return self.choice == DENIED

    @property
    def in_force(self) -> int:
        """The choice that holds; a grant older than the last forget does not."""
        return self.choice if self.at_ms > self.forgotten_ms or self.choice == DENIED else UNSET

    def allows(self, at_ms: int, catalogue: NumberedCatalogue) -> bool:
        """Return whether consent holds and covers an event at that time."""
        if self.choice == DENIED:
            return False
        if self.choice == GRANTED and self.at_ms > self.forgotten_ms:
            return self.at_ms <= at_ms
        return catalogue.consent.default == "granted"

    def choose(self, choice: int, at_ms: int, lapsed_before_ms: int) -> bool:
        """Register a choice, and return whether it wipes; a grant from before `lapsed_before_ms` has lapsed."""
        was_opted_out = self.opted_out
        lapsed = choice == GRANTED and at_ms < lapsed_before_ms
        if not lapsed and (at_ms, choice) > (self.at_ms, self.choice):  # a tie goes to "no"
            self.at_ms, self.choice = at_ms, choice
        opts_out = self.opted_out and not was_opted_out  # by an event that may be older than the last forget
        return opts_out or (choice == DENIED and at_ms > self.wiped_ms)

    def wipe(self, at_ms: int) -> None:
        """Register a wipe; gates from before are void."""
        self.wiped_ms = max(self.wiped_ms, at_ms)
        self.gates = []

    def lapse(self) -> None:
        """End a granted consent."""
        if self.choice == GRANTED:
            self.choice = UNSET
            if not self.wiped_ms:  # after a wipe, the time of the "yes" keeps an older "no" undone
                self.at_ms = 0

    def note_gate(self) -> None:
        """Note the gate of a control event, to be written."""
        self.gates.append((self.wiped_ms, self.at_ms, self.opted_out))
