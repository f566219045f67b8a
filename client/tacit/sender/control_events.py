"""Control events: the decisions of a user on consent, on a facet's value, and on forgetting."""

from collections.abc import Sequence
from typing import Literal, TypedDict, TypeVar

from tacit.contract.catalogue import Catalogue
from tacit.contract.events import Consent, Forget, Pin
from tacit.contract.gates import Scope
from tacit.sender.checks import checked
from tacit.sender.identity import new_id, now_ms

_Control = TypeVar("_Control", Consent, Pin, Forget)


class CommonMembers(TypedDict):
    """Members of all control events."""

    schema: Literal[1]
    event_id: str
    user_id: str
    at: int
    region: str


class ControlEvents:
    """Builder of control events, checked against the contract and the catalogue.

    Each method takes `at_ms`, the time of the decision in epoch ms (None: now), and `event_id` (None: a new one), and
    raises EventError for a member that breaks the contract or is not in the catalogue.

    Args:
        region: the region of the users.
        catalogue: the deployment's catalogue; None: the contract alone counts.

    >>> decide = ControlEvents("eu", Catalogue.load())
    >>> decide.pin("ada", "length", "short")
    Traceback (most recent call last):
    ...
    tacit.errors.EventError: value: not in the catalogue; allowed are concise, balanced, detailed
    """

    def __init__(self, region: str, catalogue: Catalogue | None = None) -> None:
        self._region = region
        self._catalogue = catalogue

    def consent(
        self,
        user_id: str,
        *,
        granted: bool,
        scopes: Sequence[Scope] | None = None,
        at_ms: int | None = None,
        event_id: str | None = None,
    ) -> Consent:
        """Return the user's consent, or its withdrawal; `scopes` None: all of `learn`, `use` and `explore`."""
        scope = None if scopes is None else list(scopes)
        return self._checked(Consent(granted=granted, scope=scope, **self._common(user_id, at_ms, event_id)))

    def pin(
        self, user_id: str, facet: str, value: str | None, *, at_ms: int | None = None, event_id: str | None = None
    ) -> Pin:
        """Return the user's own setting of a facet; None removes the setting, and is the answer "no preference"."""
        return self._checked(Pin(facet=facet, value=value, **self._common(user_id, at_ms, event_id)))

    def forget(
        self,
        user_id: str,
        *,
        facets: Sequence[str] | None = None,
        at_ms: int | None = None,
        event_id: str | None = None,
    ) -> Forget:
        """Return the request to forget some facets of the user; `facets` None: everything."""
        names = None if facets is None else list(facets)
        return self._checked(Forget(facets=names, **self._common(user_id, at_ms, event_id)))

    def _common(self, user_id: str, at_ms: int | None, event_id: str | None) -> CommonMembers:
        at_ms = now_ms() if at_ms is None else at_ms
        return {
            "schema": 1,
            "event_id": event_id or new_id(),
            "user_id": user_id,
            "at": at_ms,
            "region": self._region,
        }

    def _checked(self, event: _Control) -> _Control:
        checked(event, self._catalogue)
        return event
