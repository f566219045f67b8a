"""Byte search for the traces of one user: in files, state folders, Redis and topics."""

from connectors.traces.files import find_traces
from connectors.traces.needles import Needles, Trace, needles_of

__all__ = ["Needles", "Trace", "find_traces", "needles_of"]
