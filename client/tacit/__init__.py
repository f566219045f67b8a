"""Tacit's contract, reader and emitter: signals to read, events to send, and the catalogue that both use.

Results: `SignalReader` returns an `Adaptation` with a `Status` (text), `Signal`s, a `Profile` and `Consents`; its
`Choice` has the style of one conversation by a `Policy`, and an `Instruction` with a `Strength` for each facet.
A `Description` has a user's `Preference`s and `Recency`, and at most one `Question`. `limited_by` returns the `Limit`s
of a tier. A `ChangeReader` returns the users that have `Changed`.
An `Event` is an `Interaction`, `Consent`, `Pin` or `Forget`. A `Turn`, which `Choice.turn` returns, makes the events of
an answer, and `ControlEvents` makes the others. An `Emitter` sends events to a `ServiceApi`, an `EventFile`, or a
`tacit.sender.kafka_topic.KafkaTopic`, and has `EmitterCounts`.

Errors: `TacitError` is the base of `ConfigurationError`, and that of `CatalogueError`. An event that is not allowed
is an `EventError`, and a control event that an emitter cannot keep a `QueueFullError`.
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
from tacit.errors import CatalogueError, ConfigurationError, EventError, QueueFullError, TacitError
from tacit.reader.adaptation import Adaptation, Status
from tacit.reader.changes import Changed, ChangeReader
from tacit.reader.choice import Choice, Followed, Instruction, Policy, Strength
from tacit.reader.description import Description, Preference, Question, Recency
from tacit.reader.reader import AsyncSignalReader, SignalReader
from tacit.sender.control_events import ControlEvents
from tacit.sender.emitter import Emitter, EmitterCounts
from tacit.sender.event_file import EventFile
from tacit.sender.service_api import ServiceApi
from tacit.sender.turn import Turn

__all__ = [
    "ActedOn",
    "Adaptation",
    "AsyncSignalReader",
    "Catalogue",
    "CatalogueError",
    "ChangeReader",
    "Changed",
    "Choice",
    "ConfigurationError",
    "Consent",
    "Consents",
    "ControlEvents",
    "Description",
    "Emitter",
    "EmitterCounts",
    "Event",
    "EventError",
    "EventFile",
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
    "QueueFullError",
    "Recency",
    "RegionKeys",
    "ServiceApi",
    "Signal",
    "SignalReader",
    "Status",
    "Strength",
    "TacitError",
    "Turn",
    "decode_event",
    "encode_event",
    "limited_by",
    "pseudonym",
    "pseudonym_text",
]
