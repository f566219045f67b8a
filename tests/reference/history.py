"""History of a user: the last actions and the last changes of served values, by name."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import NONE
from tacit.contract.gates import SCOPES
from tacit.contract.versions import version
from tests.reference.consent import NAMES

MOST = 12


class History:
    """Actions and changes, oldest first; values are slots, and times are seconds."""

    def __init__(self) -> None:
        self.actions: list[dict[str, Any]] = []
        self.changes: list[dict[str, Any]] = []
        self.written = (0, 0)
        """Time of the last entry, and number of entries so far."""
        self.waits = False

    def _count(self, now_ms: int) -> None:
        self.actions, self.changes = self.actions[-MOST:], self.changes[-MOST:]
        self.written = (_seconds(now_ms), self.written[1] + 1)
        self.waits = True

    def act(self, now_ms: int, at_ms: int, action: str, **members: Any) -> None:
        """Add an action."""
        self.actions.append({"at_s": _seconds(at_ms), "action": action, **members})
        self._count(now_ms)

    def change(self, now_ms: int, facet: int, before: int, slot: int, source: str) -> None:
        """Add a change, from the value of the facet's last change if there is one."""
        known = [change["to"] for change in self.changes if change["facet"] == facet]
        before = known[-1] if known else before
        if before != slot:
            self.changes.append(
                {"at_s": _seconds(now_ms), "facet": facet, "from": before, "to": slot, "source": source}
            )
            self._count(now_ms)

    def answer(self, now_ms: int, at_ms: int, scopes: Iterable[int], states: Sequence[int], granted: bool) -> None:
        """Add a consent."""
        chosen = sorted(set(scopes))
        before = [states[scope] for scope in chosen]
        self.act(now_ms, at_ms, "consent", granted=granted, scopes=chosen, states=before)

    def forget(self, now_ms: int, at_ms: int) -> None:
        """Drop all entries, and add the forget."""
        self.actions, self.changes = [], []
        self.act(now_ms, at_ms, "forget")

    def forget_facets(self, now_ms: int, at_ms: int, facets: Collection[int]) -> None:
        """Drop the entries of facets, and add the forgets."""
        self.actions = [each for each in self.actions if each.get("facet") not in facets]
        self.changes = [each for each in self.changes if each["facet"] not in facets]
        for facet in facets:
            self.act(now_ms, at_ms, "forget", facet=facet)

    def drop_changes(self) -> None:
        self.changes = []

    def end_absence(self) -> None:
        """Continue as if the actions alone had happened."""
        self.written = (self.actions[-1]["at_s"], len(self.actions)) if self.actions else (0, 0)

    def renew(self, before_ms: int, now_ms: int) -> None:
        """Write the history again if it was last written before a time."""
        if self.written[1] and 1000 * self.written[0] < before_ms:
            self._count(now_ms)

    def document(self, catalogue: NumberedCatalogue) -> tuple[int, bytes]:
        """Return the time of the last entry, and the document."""
        at_s, count = self.written
        document = {
            "v": version(1000 * at_s, count),
            "actions": [_named(each, catalogue) for each in self.actions],
            "changes": [_named(each, catalogue) for each in self.changes],
        }
        return 1000 * at_s, msgspec.json.encode(document)


def _named(entry: dict[str, Any], catalogue: NumberedCatalogue) -> dict[str, Any]:
    """Return an action without empty members, or a change with all of them."""
    named: dict[str, Any] = {"at_ms": 1000 * entry["at_s"]}
    for name, value in entry.items():
        match name:
            case "facet":
                named[name] = catalogue.facet_names[value]
            case "value" | "previous" if value != NONE:
                named[name] = catalogue.slots[value].value
            case "from" | "to":
                named[name] = None if value == NONE else catalogue.slots[value].value
            case "scopes":
                named[name] = [SCOPES[scope] for scope in value]
            case "states":
                named[name] = [NAMES[state] for state in value]
            case "action" | "granted" | "source":
                named[name] = value
    return named


def _seconds(at_ms: int) -> int:
    """Return whole seconds, of which the row holds 32 bits."""
    return min(at_ms // 1000, 2**32 - 1)
