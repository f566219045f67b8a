"""Chain of audit lines: each line has a number, the hash of the line before, and its own hash.

    {"audit":1,"seq":7,"at_ms":…,"action":"forget","user":"k1.…","by":"ada",…,"prev":"…","hash":"…"}

The hash is the SHA-256 of all bytes of the line before `,"hash":`. A change of any byte breaks the chain; so does a
line that is missing or moved. A chain cannot show that the newest lines are gone, or that a writer made the whole
chain again: compare the hash of the newest line with a note that is kept elsewhere.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Literal, NamedTuple

import msgspec

START = "0" * 64
"""`prev` of the first line."""

TORN = "audit.torn_line"
"""Action of a line that records an unreadable line before it, which a crash cut off."""

_SEPARATOR = b',"hash":"'

Kind = Literal["altered", "missing", "reordered", "truncated", "unanchored"]


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One action, as a line of the audit."""

    audit: Literal[1] = 1
    seq: int
    at_ms: int
    action: str
    user: str | None
    """Pseudonym of the user, as keys have it; None: the action is about no single user."""
    by: str
    """Operator, as named by `--operator` or `TACIT_OPERATOR`, else the user of the operating system."""
    os_user: str
    outcome: str
    detail: dict[str, str | int | float | bool | None]
    prev: str


class Tip(NamedTuple):
    """Number and hash of the newest line."""

    seq: int = 0
    hash: str = START


class Problem(NamedTuple):
    """Breach of the chain."""

    line: int
    """Number of the line in the file or topic, from 1."""
    kind: Kind
    text: str


class Line(NamedTuple):
    """A line of the chain that is intact by itself."""

    entry: Entry
    hash: str

    @property
    def tip(self) -> Tip:
        """Number and hash of the line."""
        return Tip(self.entry.seq, self.hash)


def write_line(entry: Entry) -> bytes:
    """Return a line without a newline."""
    body = msgspec.json.encode(entry)[:-1]
    return body + _SEPARATOR + sha256(body).hexdigest().encode() + b'"}'


def read_line(line: bytes) -> Line | None:
    """Return the line; None: it is no line of a chain, or was altered."""
    body, separator, end = line.rpartition(_SEPARATOR)
    if not separator or end != sha256(body).hexdigest().encode() + b'"}':
        return None
    try:
        return Line(msgspec.json.decode(body + b"}", type=Entry), end[:-2].decode())
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def write_head(tip: Tip) -> bytes:
    """Return the content of a head file.

    >>> read_head(write_head(Tip(7, START))) == Tip(7, START)
    True
    """
    return f"{tip.seq:012d} {tip.hash}\n".encode()


def read_head(data: bytes) -> Tip | None:
    """Return the newest line that a head file names; None: the file is empty or damaged."""
    seq, _, checksum = data.decode("ascii", "replace").strip().partition(" ")
    return Tip(int(seq), checksum) if seq.isascii() and seq.isdigit() and len(checksum) == len(START) else None


def torn_detail(line: bytes) -> Mapping[str, str | int]:
    """Return the detail of the line that records a torn line."""
    return {"bytes": len(line), "sha256": sha256(line).hexdigest()}


class Verified(NamedTuple):
    """Result of a verification."""

    lines: int
    tip: Tip
    """The newest line."""
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]


def verify(
    lines: Iterable[bytes], *, head: Tip | None = None, expected: str | None = None, begins_at: int = 1
) -> Verified:
    """Check a chain.

    Args:
        lines: all lines, without newlines; the last one may be torn.
        head: the newest line, as the head file names it; None: unknown.
        expected: hash of a line that the chain must contain, noted earlier in another place.
        begins_at: number of the first line; 0: any, as older lines may be gone.
    """
    checking = _Checking(begins_at)
    for line in lines:
        checking.take(line)
    return checking.finish(head, expected)


class _Checking:
    """State of a verification."""

    def __init__(self, begins_at: int) -> None:
        self._any_start = begins_at == 0
        self._tip = Tip(begins_at - 1) if begins_at else Tip()
        self._number = 0
        self._unreadable: bytes | None = None
        self._problems: list[Problem] = []
        self._notes: list[str] = []
        self._hashes: set[str] = set()

    def take(self, raw: bytes) -> None:
        self._number += 1
        line = read_line(raw)
        self._resolve(line)
        if line is None:
            self._unreadable = raw
            return
        if not self._any_start:
            self._compare(line)
        self._any_start = False
        self._tip = line.tip
        self._hashes.add(line.hash)

    def finish(self, head: Tip | None, expected: str | None) -> Verified:
        if self._unreadable is not None:
            self._finish_unreadable(head)
        if head is not None and head.hash not in self._hashes and head.seq:
            text = f"the head file names line {head.seq} with a hash that no line has"
            self._add("truncated", f"{text}; the end is missing, or was made again")
        elif head is not None and head.seq < self._tip.seq:
            self._notes.append(f"line {self._tip.seq} is newer than the head file: a command was killed")
        if expected is not None and expected not in self._hashes:
            self._add("unanchored", "no line has the expected hash; the end is missing, or the chain was made again")
        return Verified(self._number, self._tip, tuple(self._problems), tuple(self._notes))

    def _finish_unreadable(self, head: Tip | None) -> None:
        if head is not None and head.hash in {self._tip.hash, *self._hashes}:
            self._notes.append(f"line {self._number} is torn: a command was killed before it ended")
        else:
            self._add("altered", "the line is torn or was altered")

    def _resolve(self, line: Line | None) -> None:
        """Decide on the unreadable line before this one."""
        if self._unreadable is None:
            return
        is_recorded = line and line.entry.action == TORN and line.entry.detail == torn_detail(self._unreadable)
        if is_recorded:
            self._notes.append(f"line {self._number - 1} is torn: a command was killed, and the next one recorded it")
        else:
            self._problems.append(Problem(self._number - 1, "altered", "the line was altered"))
        self._unreadable = None

    def _compare(self, line: Line) -> None:
        seq, following = line.entry.seq, self._tip.seq + 1
        if seq > following:
            gone = f"line {following} is" if seq == following + 1 else f"lines {following} to {seq - 1} are"
            self._add("missing", f"{gone} missing before line {seq}")
        elif seq < following:
            self._add("reordered", f"line {seq} follows line {self._tip.seq}")
        elif line.entry.prev != self._tip.hash:
            self._add("altered", f"line {seq} continues another line {seq - 1} than the one before it")

    def _add(self, kind: Kind, text: str) -> None:
        self._problems.append(Problem(self._number, kind, text))
