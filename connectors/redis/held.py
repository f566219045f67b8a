"""One user's keys in Redis as a comparison sees them: decoded signals, profile, status and gate."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from tacit.contract.gates import Gate, decode_gate
from tacit.contract.signals import PROFILE, STATUS, WIPED, Profile, Signal, decode_profile, decode_signal

Fields = Mapping[bytes, bytes]

NO_GATE = Gate()

VERSION = slice(6, 30)
"""Version in a stored field: its first member, behind `{"v":"`."""


class Held(NamedTuple):
    """Signals of one user in one namespace."""

    raw: Fields
    signals: Mapping[str, Signal]
    profile: Profile | None
    unreadable: int
    """Number of fields that are neither a signal nor a profile."""

    @property
    def is_opted_out(self) -> bool:
        """True if the only content is the status of an opted-out user."""
        return STATUS.encode() in self.raw

    @property
    def wiped(self) -> bytes | None:
        """Wipe that the signals come after, as stored."""
        return self.raw.get(WIPED.encode())

    @property
    def newest(self) -> Signal | None:
        """Signal of the newest version."""
        return max(self.signals.values(), key=lambda signal: signal.v, default=None)

    @property
    def newest_ms(self) -> int:
        """Event time of the newest field; 0 without one."""
        ages = [signal.at for signal in self.signals.values()]
        return max([*ages, self.profile.at if self.profile else 0])


def fields_of(reply: object) -> dict[bytes, bytes]:
    """Return the fields in a reply to HGETALL; a key of another type has none."""
    return dict(zip(reply[::2], reply[1::2], strict=True)) if isinstance(reply, list) else {}


def held(raw: Fields) -> Held:
    """Return the fields of a hash, decoded."""
    signals: dict[str, Signal] = {}
    profile, unreadable = None, 0
    for name, content in raw.items():
        if name.startswith(b"_") and name != PROFILE.encode():
            continue
        try:
            if name == PROFILE.encode():
                profile = decode_profile(content)
            else:
                signals[name.decode()] = decode_signal(content)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            unreadable += 1
    return Held(raw, signals, profile, unreadable)


def read_gate(raw: object) -> Gate:
    """Return a gate; an empty one for a missing key or a foreign value."""
    if not isinstance(raw, bytes):
        return NO_GATE
    try:
        return decode_gate(raw)
    except ValueError:
        return NO_GATE
