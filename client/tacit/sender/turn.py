"""One answer of an assistant, and the events about the answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tacit.contract.catalogue import Catalogue
from tacit.contract.events import ActedOn, Feedback, Interaction
from tacit.sender.checks import checked
from tacit.sender.identity import new_id, now_ms


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer with the style that was served; `Choice.turn` makes it.

    Events of one turn share its `turn_id`, so the turn counts once. Feedback may come later, and from another process:
    all members are plain data.

    >>> turn = Turn("ada", "eu", "t-1", {"length": "concise"}, topic="code")
    >>> turn.feedback("thumbs_up", at_ms=1795297433438, event_id="e-1").feedback
    Feedback(kind='thumbs_up', facets=None)
    """

    user_id: str = field(repr=False)
    region: str
    turn_id: str
    served: Mapping[str, str | list[str]]
    """Facet → value of the answer, or values of a `multiple` facet."""
    acted_on: tuple[ActedOn, ...] = ()
    proposed: tuple[ActedOn, ...] = ()
    """Signals that the answer would have followed, of a deployment in apprentice mode."""
    topic: str | None = None
    surface: str | None = None
    item: str | None = None
    """Id of the variant, card or template that was shown."""
    locale: str | None = None
    catalogue: Catalogue | None = field(default=None, repr=False, compare=False)
    """Allowed names; None: the contract alone counts."""

    def event(self, *, at_ms: int | None = None, event_id: str | None = None) -> Interaction:
        """Return the event of the answer alone, which moves the windows of activity.

        Args:
            at_ms: time of the answer, epoch ms; None: now.
            event_id: id of the event; None: a new one.

        Raises:
            EventError: a member breaks the contract, or is not in the catalogue.
        """
        return self._event(None, at_ms, event_id)

    def feedback(
        self, kind: str, *, facets: Sequence[str] | None = None, at_ms: int | None = None, event_id: str | None = None
    ) -> Interaction:
        """Return the event of the user's reaction to the answer.

        Args:
            kind: feedback kind of the catalogue.
            facets: facets that the feedback is about; None: all.
            at_ms: as in `event`.
            event_id: as in `event`.

        Raises:
            EventError: as in `event`.
        """
        return self._event(Feedback(kind=kind, facets=None if facets is None else list(facets)), at_ms, event_id)

    def _event(self, feedback: Feedback | None, at_ms: int | None, event_id: str | None) -> Interaction:
        event = Interaction(
            schema=1,
            event_id=event_id or new_id(),
            user_id=self.user_id,
            at=now_ms() if at_ms is None else at_ms,
            region=self.region,
            turn_id=self.turn_id,
            surface=self.surface,
            topic=self.topic,
            locale=self.locale,
            served=dict(self.served) or None,
            item=self.item,
            feedback=feedback,
            acted_on=list(self.acted_on) or None,
            proposed=list(self.proposed) or None,
        )
        checked(event, self.catalogue)
        return event
