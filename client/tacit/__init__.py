"""The face: what other people import and type."""

from tacit.contract.signals import Profile, Signal
from tacit.reader.adaptation import Adaptation, Choice, Followed, Status
from tacit.reader.reader import AsyncSignalReader, SignalReader

__all__ = [
    "Adaptation",
    "AsyncSignalReader",
    "Choice",
    "Followed",
    "Profile",
    "Signal",
    "SignalReader",
    "Status",
]
