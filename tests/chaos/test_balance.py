"""Comparisons with the ledger find each kind of difference, and name the event."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from tests.chaos.account import Account
from tests.chaos.balance import wrong_in_midstream, wrong_in_redis, wrong_in_state
from tests.chaos.factories import account, consent, turn
from tests.chaos.findings import Finding, Kind, counted
from tests.chaos.ledger import Ledger
from tests.chaos.redis_contents import NAMESPACE, Shown
from tests.chaos.rejects import rejects_in, wrong_rejects
from tests.chaos.state_contents import Held
from tests.chaos.watcher import Watcher
from tests.support.redis_faults import FragileRedis, fragile_redis

ADA = "k1.00"


def ledger_of(entered: Account) -> Ledger:
    ledger = Ledger(partitions=1)
    ledger.accounts[ADA] = entered
    return ledger


def held_at(entered: Account, place: int = -1, **changed: Any) -> dict[str, Held]:
    """Return the state at a moment, by default the last one."""
    place = range(len(entered.moments))[place]
    now = entered.moments[place]
    control = now.wiped_ms, now.forgotten_ms, now.consent, now.consent_at_ms, now.pins
    held = Held(now.clock_ms, now.seq, *control, entered.windows(place), frozenset())
    return {ADA: held._replace(**changed)}


def kinds(findings: Iterator[Finding]) -> list[tuple[Kind, str]]:
    return [(finding.kind, finding.event_id) for finding in findings]


def test_state_of_the_last_moment_is_right() -> None:
    """State of an earlier moment is right during a run only."""
    entered = account(consent(0), turn(1, event_id="one"), turn(2, event_id="two"))
    ledger = ledger_of(entered)
    assert kinds(wrong_in_state(ledger, held_at(entered))) == []
    assert kinds(wrong_in_midstream(ledger, held_at(entered, 1))) == []
    assert kinds(wrong_in_state(ledger, {})) == [(Kind.LOST, entered.moments[0].event_id)]


@pytest.mark.parametrize(("change", "kind"), [(-1, Kind.LOST), (1, Kind.DOUBLED)])
def test_other_count_is_found(change: int, kind: Kind) -> None:
    """Fewer events are lost, more are doubled."""
    entered = account(consent(0), turn(1), turn(2))
    held = held_at(entered, seq=3 + change)
    assert [found for found, _ in kinds(wrong_in_state(ledger_of(entered), held))] == [kind]


def test_lost_event_is_named() -> None:
    """The ids that the state holds identify the event."""
    entered = account(consent(0, event_id="ada"), turn(1, event_id="one"), turn(2, event_id="two"))
    held = held_at(entered, seq=2, recent=frozenset({crc32(b"ada"), crc32(b"two")}))
    assert kinds(wrong_in_state(ledger_of(entered), held)) == [(Kind.LOST, "one")]


def test_changed_windows_are_found() -> None:
    """At the end and during a run."""
    entered = account(consent(0), turn(1))
    held = held_at(entered, windows={"1h": 2, "24h": 1, "7d": 1})
    assert kinds(wrong_in_state(ledger_of(entered), held)) == [(Kind.WRONG, entered.moments[-1].event_id)]
    assert kinds(wrong_in_midstream(ledger_of(entered), held)) == [(Kind.WRONG, entered.moments[-1].event_id)]


def profile(entered: Account, place: int) -> dict[str, Any]:
    return {"v": entered.moments[place].version, "activity": entered.windows(place)}


def test_last_emitted_fields_are_right_in_redis() -> None:
    """A missing field is lost, an older one is wrong; after a rebuild a field may be newer."""
    pane_ms = 300_000
    entered = account(consent(0), turn(1), turn(pane_ms, event_id="last"), turn(pane_ms + 1), consent(pane_ms + 2))
    ledger = ledger_of(entered)

    def wrong(fields: dict[str, Any], again: bool = False) -> list[tuple[Kind, str]]:
        return kinds(wrong_in_redis(ledger, {ADA: Shown(entered.gate, fields)}, again=again))

    assert wrong({"_profile": profile(entered, 2)}) == []
    assert wrong({}) == [(Kind.LOST, "last")]
    assert wrong({"_profile": profile(entered, 1)}) == [(Kind.OLDER, "last")]
    assert wrong({"_profile": profile(entered, 3)}) == [(Kind.WRONG, "last")]
    assert wrong({"_profile": profile(entered, 3)}, again=True) == []


def test_gate_without_an_opt_out_is_found() -> None:
    """Such a gate lets all writes through."""
    entered = account(consent(0), consent(1, granted=False, event_id="no"))
    status = {"_status": {"v": f"{entered.moments[-1].consent_at_ms:013d}-0000000000", "status": "opted_out"}}
    ledger = ledger_of(entered)
    assert kinds(wrong_in_redis(ledger, {ADA: Shown(entered.gate, status)}, again=False)) == []
    assert kinds(wrong_in_redis(ledger, {ADA: Shown(None, status)}, again=False)) == [(Kind.WRONG, "no")]


def test_missing_reject_is_found(tmp_path: Path) -> None:
    """An incomplete line is skipped."""
    ledger = Ledger(partitions=1)
    ledger.rejected = {(0, 7): "late", (0, 8): "not_json"}
    reject = {"reason": "late", "origin": {"topic": "t", "partition": 0, "offset": 7}}
    (tmp_path / "rejects").write_text(f'{json.dumps(reject)}\n{{"reason":"not_json","ori\n')
    [finding] = wrong_rejects(ledger, rejects_in(tmp_path / "rejects"))
    assert (finding.kind, "offset 8" in finding.what) == (Kind.LOST, True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FragileRedis]:
    with fragile_redis(tmp_path) as server:
        yield server


def test_decreasing_version_is_found(server: FragileRedis) -> None:
    """Unless Redis was emptied in between; an impossible value is found at once."""
    entered = account(consent(0), turn(1), turn(300_000, event_id="last"))
    watcher = Watcher(server.url, ledger_of(entered), seed=1)

    def found_after(field: dict[str, Any]) -> list[tuple[Kind, str]]:
        watcher.findings.clear()
        server.client.hset(f"tacit:v1:eu:{NAMESPACE}:{{{ADA}}}:signals", "_profile", json.dumps(field))
        watcher.look()
        return kinds(iter(watcher.findings))

    assert found_after(profile(entered, 2)) == []
    assert found_after(profile(entered, 1)) == [(Kind.OLDER, "last")]
    assert found_after(profile(entered, 1) | {"activity": {}}) == [(Kind.WRONG, "last")]
    watcher.forget_versions()
    assert found_after(profile(entered, 1)) == []


def test_findings_are_counted_by_kind() -> None:
    """Promised kinds are listed even with 0."""
    lost = Finding(Kind.LOST, ADA, "one", "is gone")
    assert counted([]) == "0 lost, 0 doubled, 0 older over newer"
    assert counted([lost, lost._replace(kind=Kind.WRONG)]) == "1 lost, 0 doubled, 0 older over newer, 1 otherwise wrong"
    assert str(lost) == "lost: k1.00, event one: is gone"
