"""Selection of the records of a history that a replay processes: a range, and some users."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import msgspec

from connectors.kafka.address import Start
from dataflows.settings import Settings
from tacit.contract.catalogue import Catalogue
from tacit.contract.events import MAX_AT_MS, UserId
from tacit.contract.pseudonyms import pseudonym
from tacit.errors import ConfigurationError

ALL_TIMES = (0, MAX_AT_MS + 1)
"""Range of all event times, the end excluded."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Records that a replay processes; without options, all of them."""

    begin: str = ""
    """Text of `--from`: the first record of a topic, or the oldest event time of interactions in files."""
    end: str = ""
    """Text of `--to`: the end, which is not read."""
    users: frozenset[bytes] | None = None
    """Pseudonyms of the users; None: all users."""

    @property
    def start(self) -> Start:
        """Position in a topic of the first record."""
        return Start.parse(self.begin or "earliest")

    @property
    def to(self) -> Start | None:
        """Position in a topic of the end; None: the present end."""
        return Start.parse(self.end) if self.end else None

    @property
    def has_range(self) -> bool:
        """Return whether a range is given."""
        return bool(self.begin or self.end)

    @property
    def event_times(self) -> tuple[int, int]:
        """Range of event times, epoch ms, the end excluded, that a range means in files."""
        to = self.to
        begin_ms, end_ms = ALL_TIMES
        return _ms(self.start, begin_ms), _ms(to, end_ms) if to else end_ms

    def options(self) -> dict[str, str]:
        """Return the given options by name, as a state folder remembers them; of users, a hash."""
        users = "" if self.users is None else sha256(b"".join(sorted(self.users))).hexdigest()[:16]
        return {name: text for name, text in (("from", self.begin), ("to", self.end), ("users", users)) if text}

    def require_applicable(self, *, topics: int) -> None:
        """Check the range for a number of topics, or for files if there are none.

        Raises:
            ConfigurationError: the range has another form, is empty, or does not apply to the source.
        """
        problems: list[str] = []
        for name, text in (("from", self.begin), ("to", self.end)):
            try:
                position = Start.parse(text) if text else None
            except ConfigurationError as error:
                problems += [f"{name}: {problem}" for problem in error.problems]
                continue
            if position and topics != 1 and position.kind == "offset":
                problems.append(f"{name}: {text} is an offset, which needs a single topic; use a time")
        if not problems and self.has_range and self._is_empty():
            end = f"--to {self.end}" if self.end else "the end of the history"
            problems.append(f"from: {self.start_text} is not before {end}, so the range is empty; use an earlier one")
        if problems:
            raise ConfigurationError(problems)

    @property
    def start_text(self) -> str:
        """Text of the begin."""
        return self.begin or "earliest"

    def _is_empty(self) -> bool:
        start, to = self.start, self.to
        if start.kind == "latest" or (to and to.kind == "earliest"):
            return True
        return to is not None and start.kind == to.kind != "latest" and _is_behind(start, to)


ALL_RECORDS = Selection()


def _is_behind(start: Start, to: Start) -> bool:
    if start.kind == "earliest":
        return False
    if not (start.offsets or to.offsets):
        return start.number >= to.number
    ends = dict(to.offsets)
    pairs = [(number, ends.get(partition, to.number)) for partition, number in start.offsets]
    return bool(pairs) and all(begin >= end for begin, end in pairs)


def _ms(position: Start, default: int) -> int:
    return position.number if position.kind == "timestamp" else default


def read_users(path: Path, settings: Settings) -> frozenset[bytes]:
    """Return the pseudonyms of the users in a file with one user id per line.

    Raises:
        ConfigurationError: the file cannot be read, has no user, or a line is no user id; the text has no id.
    """
    identity = Catalogue.load(settings.catalogue).identity
    try:
        users = frozenset(pseudonym(user, settings.secret_bytes, identity) for user in _user_ids(path))
    except OSError as error:
        raise ConfigurationError(
            [f"users: {path} cannot be read: {error.strerror}; correct the path or the rights"]
        ) from error
    if not users:
        raise ConfigurationError([f"users: {path} has no user; write one user id per line"])
    return users


def _user_ids(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                text = line.rstrip(b"\r\n").decode("utf-8-sig" if number == 1 else "utf-8")
                if text:
                    yield msgspec.convert(text, UserId)
            except (UnicodeDecodeError, msgspec.ValidationError):
                raise ConfigurationError([f"users: line {number} of {path} is no user id; correct it"]) from None
