"""History of a user: the user's own actions, and the changes of the values that readers served.

A worker writes it as one JSON document, and a settings page reads it. Times are whole seconds.
"""

from typing import Literal

import msgspec
from msgspec.structs import replace

from tacit.contract.catalogue import Catalogue
from tacit.contract.gates import ConsentState, Scope
from tacit.contract.signals import Source, TimeMs, Version
from tacit.contract.versions import is_version

MAX_HISTORY_BYTES = 16 * 1024
"""Longest document; a worker writes shorter ones."""


class Action(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An action of the user."""

    at_ms: TimeMs
    action: Literal["pin", "unpin", "consent", "forget"]
    facet: str | None = None
    """Facet of a pin, its removal or a forget; None: the forget was one of everything."""
    value: str | None = None
    """Pinned value."""
    previous: str | None = None
    """Pinned value before a pin or its removal; None: there was none."""
    granted: bool | None = None
    """Answer of a consent."""
    scopes: tuple[Scope, ...] = ()
    """Scopes of the answer."""
    states: tuple[ConsentState, ...] = ()
    """State of each of these scopes before."""


class Change(msgspec.Struct, frozen=True, kw_only=True, rename={"before": "from", "value": "to"}):
    """A change of the value that readers serve of a facet, outside of contexts."""

    at_ms: TimeMs
    facet: str
    before: str | None
    """None: the default."""
    value: str | None
    """None: the default."""
    source: Source
    """Source of the new value."""


class History(msgspec.Struct, frozen=True):
    """The last actions and changes of a user, oldest first. `v` must stay the first member."""

    v: Version
    """The newer one of two documents has the larger version."""
    actions: tuple[Action, ...] = ()
    changes: tuple[Change, ...] = ()


encode_history = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(History).decode


def decode_history(data: bytes, catalogue: Catalogue) -> History:
    """Return a history without entries that have another name than those of the catalogue.

    Raises:
        ValueError: the document is no history.

    >>> from tacit.contract.catalogue import Catalogue
    >>> text = b'{"v":"1795297433438-0000000001","actions":[{"at_ms":1,"action":"pin","facet":"mood","value":"blue"}]}'
    >>> decode_history(text, Catalogue.load()).actions
    ()
    """
    if len(data) > MAX_HISTORY_BYTES:
        raise ValueError(f"a history of {len(data)} bytes: at most {MAX_HISTORY_BYTES} are allowed")
    try:
        found = _decode(data)
    except msgspec.MsgspecError as error:
        raise ValueError("not a history") from error
    if not is_version(found.v):
        raise ValueError("not a history")
    return replace(
        found,
        actions=tuple([each for each in found.actions if _is_known(catalogue, each.facet, each.value, each.previous)]),
        changes=tuple([each for each in found.changes if _is_known(catalogue, each.facet, each.before, each.value)]),
    )


def _is_known(catalogue: Catalogue, facet: str | None, *values: str | None) -> bool:
    if facet is None:
        return values == (None, None)
    known = catalogue.facets.get(facet)
    return known is not None and all(value is None or value in known.values for value in values)
