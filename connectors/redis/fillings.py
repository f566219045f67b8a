"""Fillings of a namespace from history, by replays and rebuilds: each leaves a mark until it has ended.

A namespace with a mark holds the signals of a part of the history, so readers do not move there.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, cast

from connectors.redis.client import RedisClient
from tacit.contract.keys import NamespaceKeys

Goes = Literal["one", "several", "live", "rebuilt"]
"""Way in which the history was read: in one go, in several, each of which ended a round, or by a live run.

`rebuilt`: a rebuild has decided by the newest population version alone. Its versions are the newest of each user, so a
later filling does not replace its signals.
"""

_MARK = "filling:"
_GOES = "goes"
_REST = "rest:"
_LIVE = f"{_MARK}live"
_RESTORING = "restoring"


class Filling(NamedTuple):
    """A filling of a namespace."""

    state: str
    """Id of the state folder; empty for a replay without one."""
    inputs: str
    """Hash of the inputs and of the options that choose records."""
    goes: Goes = "one"
    continues: bool = False
    """True for a replay that resumes: its signals are the rest of a history."""

    @property
    def mark(self) -> str:
        """Field of the mark."""
        return f"{_MARK}{self.state or self.inputs}"


class Filled(NamedTuple):
    """Way in which the signals of a namespace came about."""

    is_live: bool = False
    """True if a live run has written the namespace."""
    in_several_goes: bool = False
    is_unfinished: bool = False
    """True if a filling or a restoration has not ended, or a live run has not caught up with a new namespace."""
    is_rebuilt: bool = False


class Fillings:
    """Marks in the owner of a namespace. All methods raise SinkError as `RedisClient.deliver`."""

    def __init__(self, client: RedisClient, keys: NamespaceKeys) -> None:
        self._client = client
        self._owner = keys.owner

    def begin(self, filling: Filling, *, is_rest: bool = False) -> None:
        """Mark the namespace; a repetition has no further effect.

        Args:
            filling: the filling.
            is_rest: the namespace lacks what the filling wrote before it resumed, as in another Redis or after a loss
                of data: its end does not complete the namespace.
        """
        value = f"{_REST}{filling.inputs}" if is_rest else filling.inputs
        if filling.continues and (held := self._marks().get(filling.mark)):
            value = held
        goes = "rebuilt" if self.read().is_rebuilt else filling.goes
        self._client.execute(("HSET", self._owner, filling.mark, value, _GOES, goes))

    def end(self, filling: Filling) -> None:
        """Remove the mark, and those of other fillings from the same inputs; the mark of a mere rest stays."""
        marks = self._marks()
        if marks.get(filling.mark, "").startswith(_REST):
            return
        same = {filling.inputs, f"{_REST}{filling.inputs}"}
        done = [name for name, inputs in marks.items() if name == filling.mark or inputs in same]
        if done:
            self._client.execute(("HDEL", self._owner, *done))

    def note_rebuild(self) -> None:
        """Note that a rebuild adds to the namespace, without a mark: its signals are no part of a history."""
        self._client.execute(("HSET", self._owner, _GOES, "rebuilt"))

    def take_live(self, *, is_new: bool) -> tuple[str, ...]:
        """Note that a live run has taken the namespace, and return the marks that `complete_live` removes.

        The run continues what a filling began, or fills a new namespace, and has written all once it has caught up.
        """
        marks = {*self._marks(), *([_LIVE] if is_new else [])}
        self.keep_live(marks)
        return tuple(sorted(marks))

    def keep_live(self, marks: Iterable[str] = ()) -> None:
        """Note again that a live run writes the namespace, after a loss also with its marks."""
        held = self._marks()
        missing = [part for mark in marks if mark not in held for part in (mark, "live")]
        self._client.execute(("HSET", self._owner, _GOES, "live", *missing))

    def complete_live(self, marks: Sequence[str]) -> None:
        """Remove the marks of a live run that has caught up."""
        if marks:
            self._client.execute(("HDEL", self._owner, *marks))

    def read(self) -> Filled:
        """Return the way in which the signals came about."""
        fields = self._fields()
        goes = "live" if "run" in fields else fields.get(_GOES)
        return Filled(goes == "live", goes == "several", _is_unfinished(fields), goes == "rebuilt")

    def _marks(self) -> dict[str, str]:
        return {name: inputs for name, inputs in self._fields().items() if name.startswith(_MARK)}

    def _fields(self) -> dict[str, str]:
        found = cast("list[bytes]", self._client.execute(("HGETALL", self._owner)))
        texts = [text.decode("utf-8", "replace") for text in found]
        return dict(zip(texts[::2], texts[1::2], strict=True))


def _is_unfinished(fields: dict[str, str]) -> bool:
    return _RESTORING in fields or any(name.startswith(_MARK) for name in fields)
