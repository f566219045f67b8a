"""The face: what other people import and type."""

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
from tacit.contract.limits import Limit, limited_by
from tacit.contract.signals import Profile, Signal
from tacit.reader.adaptation import Adaptation, Choice, Followed, Status
from tacit.reader.reader import AsyncSignalReader, SignalReader

__all__ = [
    "ActedOn",
    "Adaptation",
    "AsyncSignalReader",
    "Choice",
    "Consent",
    "Event",
    "Feedback",
    "Followed",
    "Forget",
    "Interaction",
    "Limit",
    "Pin",
    "Profile",
    "Signal",
    "SignalReader",
    "Status",
    "decode_event",
    "encode_event",
    "limited_by",
]
