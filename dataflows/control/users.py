"""Users by the rules of a deployment: the comparison of ids in its catalogue, and its secret."""

from dataflows.settings import Settings
from tacit.contract.catalogue import Catalogue
from tacit.contract.pseudonyms import folded, pseudonym


def same_id(settings: Settings, user_id: str) -> str:
    """Return the form of a user id that all forms of the same user share."""
    return folded(user_id) if Catalogue.load(settings.catalogue).identity == "casefold" else user_id


def pseudonym_of(settings: Settings, user_id: str) -> bytes:
    """Return the 16-byte pseudonym of a user."""
    return pseudonym(user_id, settings.secret_bytes, Catalogue.load(settings.catalogue).identity)
