"""Explanation of a user's values, computed from a state folder. The command and the HTTP API use it."""

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from dataflows.control.audit import audited
from dataflows.control.why_document import (
    ChangeDocument,
    ConsentDocument,
    DefaultOf,
    Pinned,
    Predicted,
    Served,
    Side,
    Value,
    Why,
    WhyFacet,
    WithoutDocument,
)
from dataflows.control.why_text import sentences
from dataflows.inspection import Inspected
from dataflows.population_run import folder_prior
from dataflows.settings import Settings
from state.catalogue.numbered import NumberedCatalogue
from state.errors import StateError
from state.events.observation import NONE
from state.learning.population_prior import Prior
from state.learning.value_evidence import SideEvidence
from state.storage.checkpoint_reader import Checkpoint
from state.user.consent import SCOPE_NUMBERS
from state.user.explanation import Explanation, Prediction, ValueBelief, explain
from state.user.gate import scope_consent
from state.user.next_changes import changes, choice
from state.user.rules import Rules
from state.user.user_state import UserState
from tacit.contract.gates import SCOPES
from tacit.contract.pseudonyms import pseudonym_text
from tacit.errors import ConfigurationError


def why(settings: Settings, folder: Inspected, user: bytes, facet: str | None = None) -> Why:
    """Return the explanation of all facets of a user, or of one; the audit has the action.

    Args:
        settings: settings with `population`, `audit` and `operator`.
        folder: state folder.
        user: 16-byte pseudonym.
        facet: name of a facet; None: all.

    Raises:
        ConfigurationError: the facet is not in the catalogue.
        StateError: the folder has no user of that pseudonym, or cannot be read.
    """
    catalogue = folder.catalogue
    if facet is not None and facet not in catalogue.facets:
        raise ConfigurationError(
            [f"facet: {facet!r} is not in the catalogue; allowed are {', '.join(catalogue.facets)}"]
        )
    with audited(settings, "why", user, facet=facet):
        found, checkpoint = folder.checkpoints.get(user)
        if found is None or checkpoint is None:
            raise StateError(f"{folder.path}: the newest checkpoint has no user of that id; check the user id")
        prior, _ = folder_prior(settings, folder.path, catalogue)
        names = catalogue.facet_index if facet is None else {facet: catalogue.facet_index[facet]}
        return explained(user, found, checkpoint, prior, names)


def explained(user: bytes, state: UserState, checkpoint: Checkpoint, prior: Prior, facets: Mapping[str, int]) -> Why:
    """Return the document on some facets (name → number) of a state."""
    describe = _Describe(state, prior.catalogue, Rules(prior.catalogue, population=prior))
    return Why(
        schema=1,
        user=pseudonym_text(user),
        checkpoint_at_ms=checkpoint.made_ms,
        newest_ms=state.newest_ms,
        learns=state.consent.allows(state.newest_ms, prior.catalogue),
        consent=consents(state),
        population=prior.number,
        facets=tuple(describe.facet(name, facet) for name, facet in facets.items()),
    )


def consents(state: UserState) -> dict[str, ConsentDocument]:
    """Return the consent of a user by scope."""
    return {
        name: ConsentDocument(*scope_consent(state.consent, scope))
        for name, scope in zip(SCOPES, SCOPE_NUMBERS, strict=True)
    }


@dataclass(frozen=True, slots=True)
class _Describe:
    """Names for the numbers of an explanation."""

    state: UserState
    catalogue: NumberedCatalogue
    rules: Rules

    def facet(self, name: str, facet: int) -> WhyFacet:
        prior, state = self.rules.prior, self.state
        found = explain(state, facet, prior)
        document = WhyFacet(
            facet=name,
            title=self.catalogue.facets[name].title,
            served=self._served(facet),
            pin=self._pin(facet),
            learned=self._predicted(found.prediction),
            without_pin=self._value(choice(state, facet, prior).slot),
            default=self._value(found.default),
            default_of=self._default_of(facet, found),
            evidence=round(found.evidence.supporting.weight, 2),
            against=round(found.evidence.opposing.weight, 2),
            values=tuple(self._belief(value) for value in found.values),
            without=tuple(
                WithoutDocument(
                    each.removal, each.pieces, round(each.earlier, 2), self._predicted(each.prediction), each.basis
                )
                for each in found.without
            ),
            changes=tuple(
                ChangeDocument(
                    each.pieces,
                    self.catalogue.feedback_names[each.kind],
                    self.catalogue.slots[each.slot].value,
                    self._value(each.becomes.slot),
                    each.becomes.tier,
                )
                for each in changes(state, facet, self.rules)
            ),
            has_uncounted=found.uncounted,
            text=(),
        )
        return replace(document, text=tuple(sentences(document, learns=self._learns, uses=state.consent.uses)))

    @property
    def _learns(self) -> bool:
        return self.state.consent.allows(self.state.newest_ms, self.catalogue)

    def _served(self, facet: int) -> Served:
        state, prior = self.state, self.rules.prior
        default = self._value(prior.default_slots[facet])
        if not state.consent.uses:
            return Served(default, "default", "default")
        if state.pins.is_set(facet, self.catalogue):
            return Served(self._value(state.pins[facet].slot), "apply", "user")
        slot, tier = choice(state, facet, prior)
        if tier == "default" and slot == prior.default_slots[facet]:
            return Served(default, tier, "default")
        has_evidence = state.preferences is not None and state.preferences.has_feedback(facet)
        return Served(self._value(slot), tier, "learned" if has_evidence else "population")

    def _pin(self, facet: int) -> Pinned | None:
        pin = self.state.pins.get(facet)
        if pin is None:
            return None
        in_force = self.state.pins.is_set(facet, self.catalogue) and self.state.consent.uses
        return Pinned(self._value(pin.slot), pin.at_ms, in_force)

    def _default_of(self, facet: int, found: Explanation) -> DefaultOf | None:
        if found.default is None:
            return None
        return "catalogue" if found.default == self.catalogue.default_slots[facet] else "population"

    def _predicted(self, found: Prediction) -> Predicted:
        slots = self.catalogue.slots
        return Predicted(
            slots[found.slot].value,
            slots[found.runner_up].value,
            round(found.confidence, 3),
            found.tier,
            round(found.liked, 3),
            round(found.liked - found.runner_up_liked, 3),
            found.limits,
        )

    def _belief(self, found: ValueBelief) -> Value:
        sides = (found.evidence.supporting, found.evidence.opposing)
        evidence = [self._side(side) for side in sides]
        name = self.catalogue.slots[found.slot].value
        return Value(name, round(found.liked, 3), round(found.mean, 4), round(found.sd, 4), *evidence)

    def _side(self, found: SideEvidence) -> Side:
        kinds = {self.catalogue.feedback_names[kind]: count for kind, count in sorted(found.kinds.items())}
        return Side(round(found.weight, 2), kinds, round(found.earlier, 2), found.newest_ms)

    def _value(self, slot: int | None) -> str | None:
        return None if slot is None or slot == NONE else self.catalogue.slots[slot].value
