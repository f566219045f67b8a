"""Tacit's contract and reader: events to send, signals to read, and the catalogue that both use.

Results: `SignalReader` returns an `Adaptation` with a `Status` (text), `Signal`s, a `Profile` and `Consents`; its
`Choice` has the style of one conversation by a `Policy`, and an `Instruction` with a `Strength` for each facet.
A `Description` has a user's `Preference`s and `Recency`, and at most one `Question`. `limited_by` returns the `Limit`s
of a tier.
An `Event` is an `Interaction`, `Consent`, `Pin` or `Forget`.

Errors: `TacitError` is the base of `ConfigurationError`, and that of `CatalogueError`.
"""

from tacit.contract.catalogue import Catalogue
from tacit.contract.events import (
    ActedOn,
    Consent,
    Event,
    Feedback,
    Forget,
    Interaction,
    Pin,
    decode_event,
    encode_event,
)
from tacit.contract.gates import Consents
from tacit.contract.keys import NamespaceKeys, RegionKeys
from tacit.contract.limits import Limit, limited_by
from tacit.contract.pseudonyms import pseudonym, pseudonym_text
from tacit.contract.signals import Profile, Signal
from tacit.errors import CatalogueError, ConfigurationError, TacitError
from tacit.reader.adaptation import Adaptation, Status
from tacit.reader.choice import Choice, Followed, Instruction, Policy, Strength
from tacit.reader.description import Description, Preference, Question, Recency
from tacit.reader.reader import AsyncSignalReader, SignalReader

__all__ = [
    "ActedOn",
    "Adaptation",
    "AsyncSignalReader",
    "Catalogue",
    "CatalogueError",
    "Choice",
    "ConfigurationError",
    "Consent",
    "Consents",
    "Description",
    "Event",
    "Feedback",
    "Followed",
    "Forget",
    "Instruction",
    "Interaction",
    "Limit",
    "NamespaceKeys",
    "Pin",
    "Policy",
    "Preference",
    "Profile",
    "Question",
    "Recency",
    "RegionKeys",
    "Signal",
    "SignalReader",
    "Status",
    "Strength",
    "TacitError",
    "decode_event",
    "encode_event",
    "limited_by",
    "pseudonym",
    "pseudonym_text",
]
