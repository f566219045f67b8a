"""What there is to say of a person: what was last said of each facet, and what waits to be written.

Whether something is news is decided event by event, so that it depends on the person's events alone and not on how they
were cut into batches. Of a batch's news only the last of each facet is written, so words are found when it is taken.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from state.catalogue.numbered import NumberedCatalogue
from state.learning.decisions import Beliefs, Finding, decide, find, learned_signal, pinned_signal
from state.learning.population_prior import Prior
from state.user.sent import Sent
from state.user.windows import PANE_MS, Windows
from tacit.contract.signals import PROFILE, Signal, encode
from tacit.contract.versions import version


class News:
    """One person's news. Each method's `at_ms` and `seq` are the clock and count of which versions are made."""

    __slots__ = ("at_ms", "profile_pane", "sent", "waiting", "waiting_profile")

    def __init__(self) -> None:
        self.sent: Sent | None = None
        """Begins with the person's preferences: before, nothing learned can have been said."""
        self.profile_pane = 0
        """Number of the pane in which the profile was last said."""
        self.waiting: dict[int, Finding | Signal] = {}
        """By facet; of several the last."""
        self.waiting_profile: tuple[Windows, int, int] | None = None
        """The windows, time and count of that moment."""
        self.at_ms = 0
        """Event time of the newest that waits."""

    def __bool__(self) -> bool:
        return bool(self.waiting or self.waiting_profile)

    def learned(self, facet: int, beliefs: Beliefs, at_ms: int, seq: int, *, anyway: bool = False) -> None:
        """Say what is believed of a facet, if it differs enough from what was said last, or `anyway`."""
        sent, decision = self.sent, decide(beliefs, facet)
        if sent is not None and (anyway or sent.is_news(facet, decision) or beliefs.own.just_drifted(facet)):
            sent.record(facet, decision, at_ms)
            self.waiting[facet] = find(beliefs, facet, decision, at_ms, seq)
            self.at_ms = at_ms

    def pinned(self, facet: int, slot: int, prior: Prior, at_ms: int, seq: int) -> None:
        """Say what the person has set."""
        if self.sent is not None:
            self.sent.retract(facet)
        self.waiting[facet] = pinned_signal(slot, prior, at_ms, seq)
        self.at_ms = at_ms

    def unpinned(self, facet: int, beliefs: Beliefs, at_ms: int, seq: int, explores: bool) -> None:
        """Say what is believed of a facet in place of a pin; without consent it `explores` nothing."""
        decision = decide(beliefs, facet)
        if self.sent is not None:
            self.sent.record(facet, decision, at_ms)
        signal = learned_signal(beliefs.own.catalogue, find(beliefs, facet, decision, at_ms, seq))
        self.waiting[facet] = signal if explores else replace(signal, explore=0.0)
        self.at_ms = at_ms

    def profile(self, windows: Windows, at_ms: int, seq: int) -> None:
        """Say how the person uses the assistant, once in each pane."""
        pane = at_ms // PANE_MS
        if pane == self.profile_pane:
            return
        self.profile_pane = pane
        self.waiting_profile = (windows.copy(), at_ms, seq)
        self.at_ms = at_ms

    def due(self, before_ms: int, catalogue: NumberedCatalogue) -> list[int]:
        """Return the facets of which nothing was said since that time; not those that have left the catalogue."""
        due = [] if self.sent is None else self.sent.due(before_ms)
        return [facet for facet in due if catalogue.facet_slots[facet]]

    def take(self, catalogue: NumberedCatalogue) -> tuple[tuple[str, bytes], ...]:
        """Return what waits as (field, JSON), and wait for more."""
        fields = tuple(self._worded(catalogue))
        self.waiting = {}
        self.waiting_profile = None
        return fields

    def _worded(self, catalogue: NumberedCatalogue) -> Iterator[tuple[str, bytes]]:
        for facet, said in self.waiting.items():
            signal = learned_signal(catalogue, said) if isinstance(said, Finding) else said
            yield catalogue.facet_names[facet], encode(signal)
        if self.waiting_profile is not None:
            windows, at_ms, seq = self.waiting_profile
            yield PROFILE, encode(windows.profile(version(at_ms, seq), at_ms, catalogue.topics_to_say))
