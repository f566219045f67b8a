"""Effect of a control event: visible exactly when no reader can read anything that the event ended."""

import time
from collections.abc import Mapping
from typing import Any

import pytest
import redis

from dataflows.control.effect import NoEffectError, Seen, missing_effect, wait_for, watching
from dataflows.control.sending import Sent
from dataflows.settings import load
from tacit.contract.events import Consent, Forget, Pin
from tacit.contract.gates import Gate, GatePin, Scope, ScopeConsent, encode_gate
from tacit.contract.keys import RegionKeys
from tacit.contract.versions import version

AT = 1_795_000_000_000
USER = bytes(range(16))
OLD, NEW = version(AT - 1, 3), version(AT + 1, 4)
COMMON: Mapping[str, Any] = {"schema": 1, "event_id": "e", "user_id": "ada", "at": AT, "region": "eu"}


def field(written: str) -> bytes:
    return f'{{"v":"{written}","value":"formal"}}'.encode()


def signals(written: str, name: str = "tone") -> Mapping[str, Mapping[str, bytes]]:
    return {"live": {}, "shadow": {name: field(written)}}


def consent(*, granted: bool, scope: list[Scope] | None = None) -> Sent:
    return Sent(Consent(granted=granted, scope=scope, **COMMON), "events.jsonl")


def pin(value: str | None) -> Sent:
    return Sent(Pin(facet="tone", value=value, **COMMON), "events.jsonl")


def forget(facets: list[str] | None = None) -> Sent:
    return Sent(Forget(facets=facets, **COMMON), "events.jsonl")


def all_scopes(state: Any, since_ms: int = AT, **changes: Any) -> Gate:
    scope = ScopeConsent(state, since_ms)
    return Gate(**{"learn": scope, "use": scope, "explore": scope, **changes})


DENIED = all_scopes("denied", wiped_ms=AT)
WIPED = Gate(wiped={"tone": version(AT, 3)})


@pytest.mark.parametrize(
    ("sent", "seen", "missing"),
    [
        (consent(granted=True), Seen(Gate()), "the gate has learn as unasked"),
        (consent(granted=True), Seen(all_scopes("granted", AT - 1)), "the gate has learn as granted"),
        (consent(granted=True), Seen(all_scopes("granted")), ""),
        (consent(granted=True, scope=["use"]), Seen(Gate(use=ScopeConsent("granted", AT))), ""),
        (consent(granted=False), Seen(all_scopes("granted")), "the gate has learn as granted"),
        (consent(granted=False), Seen(DENIED), ""),
        (consent(granted=False), Seen(all_scopes("denied", AT + 9, wiped_ms=AT + 9)), ""),
        (consent(granted=False), Seen(DENIED, signals(NEW)), "the namespace shadow has signals"),
        (consent(granted=False), Seen(DENIED, signals(OLD, "_profile")), "the namespace shadow has signals"),
        (consent(granted=False), Seen(DENIED, signals(OLD, "_status")), ""),
        (
            consent(granted=False, scope=["learn"]),
            Seen(Gate(AT, learn=ScopeConsent("denied", AT)), signals(OLD)),
            "the namespace shadow has signals",
        ),
        (consent(granted=False, scope=["explore"]), Seen(Gate(explore=ScopeConsent("denied", AT)), signals(OLD)), ""),
        (pin("formal"), Seen(Gate()), "the gate has no pin of tone from this event"),
        (pin("formal"), Seen(Gate(pins={"tone": GatePin("formal", AT - 1)})), "the gate has no pin of tone from"),
        (pin("formal"), Seen(Gate(pins={"tone": GatePin("casual", AT)})), "a newer event has set tone"),
        (pin("formal"), Seen(Gate(pins={"tone": GatePin("formal", AT)})), ""),
        (pin(None), Seen(Gate(pins={"tone": GatePin("formal", AT - 1)})), "the gate has no pin of tone from"),
        (pin(None), Seen(Gate(pins={"tone": GatePin(None, AT)})), ""),
        (forget(), Seen(Gate(wiped_ms=AT)), "the gate has no forget"),
        (forget(), Seen(Gate(AT, AT)), ""),
        (forget(), Seen(Gate(AT, AT), signals(OLD)), "the namespace shadow has signals"),
        (forget(), Seen(Gate(AT, AT), signals(NEW)), ""),
        (forget(), Seen(Gate(AT, AT, pins={"tone": GatePin("formal", AT)})), "the gate has pins from before"),
        (forget(), Seen(Gate(AT, AT, pins={"tone": GatePin("formal", AT + 1)})), ""),
        (forget(["tone"]), Seen(Gate()), "the gate has no forget of tone"),
        (forget(["tone"]), Seen(Gate(wiped={"tone": version(AT - 1, 1)})), "the gate has no forget of tone"),
        (forget(["tone"]), Seen(Gate(wiped={"tone": version(AT, 3)})), ""),
        (
            forget(["tone"]),
            Seen(Gate(wiped={"tone": version(AT, 3)}), signals(OLD)),
            "the namespace shadow has a signal",
        ),
        (forget(["tone"]), Seen(Gate(wiped={"tone": version(AT, 3)}), signals(NEW)), ""),
        (forget(["tone"]), Seen(Gate(wiped={"tone": version(AT, 3)}), signals(OLD, "length")), ""),
        (forget(["tone"]), Seen(Gate(AT + 9, AT + 9)), ""),
    ],
)
def test_missing_effect(sent: Sent, seen: Seen, missing: str) -> None:
    """Gate and signals of every namespace decide together."""
    found = missing_effect(sent, seen)
    assert found.startswith(missing) if missing else found == ""


def test_a_wait_returns_the_time_until_the_effect(redis_url: str, redis_client: redis.Redis) -> None:
    """Read from the keys of the contract."""
    keys = RegionKeys("eu")
    redis_client.sadd(keys.namespaces, "live", "shadow")
    redis_client.set(keys.gate(USER), encode_gate(Gate(AT, AT)))
    redis_client.hset(keys.within("live").signals(USER), "tone", field(NEW))
    with watching(load({"redis": redis_url, "embedded": True}), USER) as watcher:
        assert watcher.look() == Seen(Gate(AT, AT), {"live": {"tone": field(NEW)}})
        assert 0 < wait_for(watcher, forget(), since_s=time.monotonic(), limit_s=5) < 5


def test_a_wait_in_vain_names_what_is_missing_and_what_to_check(redis_url: str) -> None:
    """The event is sent, and the error has its source."""
    with (
        watching(load({"redis": redis_url, "embedded": True}), USER) as watcher,
        pytest.raises(NoEffectError) as caught,
    ):
        wait_for(watcher, forget(), since_s=time.monotonic(), limit_s=0)
    assert "the event is in events.jsonl, and after 0 s the gate has no forget; check that a worker" in str(
        caught.value
    )
