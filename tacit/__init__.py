"""The face: what other people import and type."""

from state.signals import Profile, Signal
from tacit.adaptation import Adaptation, Choice, Followed, Status
from tacit.reader import AsyncSignalReader, SignalReader

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
