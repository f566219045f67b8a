"""Rules of a deployment, from its settings."""

from dataflows.settings import Settings
from state.catalogue.numbered import NumberedCatalogue
from state.catalogue.vocabulary import Vocabulary
from state.user.rules import Rules
from tacit.contract.activity import HOUR_MS


def rules_of(settings: Settings, vocabulary: Vocabulary | None = None) -> Rules:
    """Return the rules, with the numbers of a vocabulary if one is passed."""
    catalogue = NumberedCatalogue.load(settings.catalogue)
    return Rules(
        catalogue.numbered(vocabulary) if vocabulary else catalogue,
        round(settings.lateness * HOUR_MS),
        settings.ttl_ms,
        tombstone_ms=settings.tombstones_ms,
        teaches=settings.population == "learn",
        proves=True,
    )
