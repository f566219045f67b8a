"""Contents of Redis after an undisturbed replay of the same records, compared with those after chaos."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tacit.contract.keys import hash_tag
from tests.chaos.findings import Finding, Kind
from tests.chaos.ledger import Ledger
from tests.chaos.redis_contents import NAMESPACE, PROFILE
from tests.support.replays import left_by

MOVED = 0.05
"""Change of confidence after which a signal is emitted again; signals of a rebuild differ by less."""
_ROUNDED = 0.001
_DECIDED = ("value", "tier", "source", "default", "by")


def left_undisturbed(ledger: Ledger, topic: str, folder: Path) -> dict[str, Any]:
    """Replay all records of the topic into an empty Redis; fail if counts differ from the ledger."""
    summary, left = left_by(topic, "--namespace", NAMESPACE, cwd=folder)
    counts = {name: summary[name] for name in ("accepted", "duplicate", "unconsented", "before_wipe")}
    assert ledger.outcomes == {name: count for name, count in (counts | summary["rejected"]).items() if count}
    return left


def differences(left: Mapping[str, Any], held: Mapping[str, Any], *, again: bool) -> Iterator[Finding]:
    """Yield each key or field whose bytes differ; with `again`, a rebuild may have emitted a field again later."""
    for key in sorted(left.keys() | held.keys()):
        ours, theirs = left.get(key), held.get(key)
        if ours == theirs:
            continue
        if not isinstance(ours, dict) or not isinstance(theirs, dict):
            yield _differs(key, "", ours, theirs)
            continue
        for name in sorted(ours.keys() | theirs.keys()):
            if not _is_same(name, ours.get(name), theirs.get(name), again):
                yield _differs(key, name, ours.get(name), theirs.get(name))


def _is_same(name: str, ours: str | None, theirs: str | None, again: bool) -> bool:
    if ours == theirs or not again or ours is None or theirs is None:
        return ours == theirs
    before, later = json.loads(ours), json.loads(theirs)
    if later["v"] < before["v"]:
        return False
    if name == PROFILE:
        return True  # the balance compares its windows with the ledger
    moved = abs((later["confidence"] or 0) - (before["confidence"] or 0))
    return moved < MOVED + _ROUNDED and all(before[part] == later[part] for part in _DECIDED)


def _differs(key: str, name: str, ours: object, theirs: object) -> Finding:
    user = hash_tag(key) or key
    return Finding(Kind.WRONG, user, "none alone", f"{name or 'the key'} is {theirs}, undisturbed {ours}")
