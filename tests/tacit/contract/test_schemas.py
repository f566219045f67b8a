"""client/tacit/contract/schemas: the published JSON Schemas agree with types, events and signals."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec import ValidationError

from dataflows.control.schemas import documents as control_documents
from dataflows.job import Job
from dataflows.runtime.replay import replay
from dataflows.settings import load
from state.events.records import Reason
from tacit.contract.events import decode_event
from tacit.contract.keys import LIVE, RegionKeys
from tacit.contract.pseudonyms import pseudonym
from tacit.contract.schemas import documents, event_schema, main, signal_schema
from tacit.contract.signals import PROFILE, STATUS
from tacit_lab.embedded import EmbeddedRedis
from tacit_lab.simulate import Arrival, Kind, Scenario, simulate
from tacit_lab.simulate.output import write_events
from tests.support.repeated_reads import read_repeatedly

PUBLISHED = Path(__file__).resolve().parents[3] / "docs" / "schema"
SCENARIO = Scenario(
    end_ms=time.time_ns() // 1_000_000, users=60, turns=3000, opts_out=0.2, pins=0.3, forgets=0.1, unknown_schema=0.01
)
EVENTS = Draft202012Validator(event_schema())
SIGNALS = Draft202012Validator(signal_schema())

ARRIVALS = list(simulate(SCENARIO).arrivals())
GOOD = [json.loads(arrival.line) for arrival in ARRIVALS if isinstance(arrival.made_as, Kind)]
ODD = st.sampled_from(
    [None, True, -1, 1.5, 10**14, "", "x", "a b\tc", "é" * 200, [], ["x"], [""], {}, {"x": "y"}, {"kind": "x"}]
)


@pytest.mark.parametrize("name", documents())
def test_published_schema_is_up_to_date(name: str) -> None:
    """A change of the contract changes the published schema in the same commit."""
    renew = f"docs/schema/{name} is stale: run `python -m tacit.contract.schemas docs/schema` and commit the change"
    assert (PUBLISHED / name).read_text(encoding="utf-8") == documents()[name], renew


def test_nothing_else_is_published() -> None:
    """A schema that is no longer generated is deleted."""
    assert {path.name for path in PUBLISHED.iterdir()} == set(documents()) | set(control_documents()) | {
        "event.avsc",
        "event.proto",
        "receipt.schema.json",
    }


def test_command_writes_the_schemas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command creates the folder and every file."""
    monkeypatch.setattr("sys.argv", ["schemas", str(tmp_path / "new")])
    main()
    assert {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "new").iterdir()} == documents()


def test_command_without_folder_prints_its_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    """The usage is one line."""
    monkeypatch.setattr("sys.argv", ["schemas"])
    with pytest.raises(SystemExit, match=r"^usage: "):
        main()


@pytest.mark.parametrize("schema", [event_schema(), signal_schema()], ids=["event", "signal"])
def test_schema_is_valid(schema: dict[str, Any]) -> None:
    """Each schema satisfies the meta-schema."""
    Draft202012Validator.check_schema(schema)


def test_simulated_events_satisfy_schema() -> None:
    """The stream has all four types of events."""
    for event in GOOD:
        EVENTS.validate(event)
    assert {event["type"] for event in GOOD} == {"interaction", "consent", "pin", "forget"}


@pytest.mark.parametrize("reason", [Reason.INVALID, Reason.UNKNOWN_SCHEMA])
def test_events_that_break_the_contract_do_not_satisfy_schema(reason: Reason) -> None:
    """A producer can find invalid events before a worker rejects them."""
    broken = [arrival for arrival in ARRIVALS if arrival.made_as is reason]
    assert broken
    assert not any(_satisfied(arrival) for arrival in broken)


@given(event=st.sampled_from(GOOD), data=st.data())
def test_schema_and_parser_agree(event: dict[str, Any], data: st.DataObject) -> None:
    """Both accept an event with an odd, missing or unknown member, or neither does."""
    member = data.draw(st.sampled_from([*event, "turn_id", "item", "locale", "acted_on", "text"]))
    changed = {**event, member: data.draw(ODD)} if data.draw(st.booleans()) else {**event}
    if changed == event:
        changed.pop(member, None)
    assert EVENTS.is_valid(changed) == _parsed(changed)


def test_signals_in_redis_satisfy_schema(users: dict[str, dict[str, Any]]) -> None:
    """A replay writes signals, profiles and opt-outs; pins stand in gates."""
    for fields in users.values():
        SIGNALS.validate(fields)
    assert {name for fields in users.values() for name in fields} >= {PROFILE, STATUS, "length", "tone"}
    signals = [signal for fields in users.values() for name, signal in fields.items() if not name.startswith("_")]
    assert {signal["source"] for signal in signals} == {"learned"}


@pytest.mark.parametrize("member", ["v", "value", "tier", "why", "by"])
def test_signal_without_a_member_does_not_satisfy_schema(users: dict[str, dict[str, Any]], member: str) -> None:
    """A reader in another language can rely on every member."""
    signal = next(fields["length"] for fields in users.values() if "length" in fields)
    assert not SIGNALS.is_valid({"length": {name: value for name, value in signal.items() if name != member}})


def test_unknown_underscore_field_does_not_satisfy_schema() -> None:
    """Names with a leading underscore are reserved."""
    assert not SIGNALS.is_valid({"_other": {}})


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Any]]]:
    """Return user id → field → JSON of all users with signals after a replay."""
    folder = tmp_path_factory.mktemp("replay")
    write_events((arrival.line for arrival in ARRIVALS), str(folder / "events.jsonl"))
    with EmbeddedRedis() as server:
        flags = {"redis": server.url, "embedded": True, "ttl": "none", "metrics": "off"}
        settings = load(flags | {"rejects": str(folder / "rejects.jsonl")})
        replay(Job(settings, (folder / "events.jsonl",), bounded=True), lambda _: None)
        yield _held(server.url, settings.secret_bytes)


def _held(url: str, secret: bytes) -> dict[str, dict[str, Any]]:
    keys = RegionKeys("eu").within(LIVE)
    held = {}
    with redis.Redis.from_url(url, protocol=2, decode_responses=True) as client:
        for user in sorted({event["user_id"] for event in GOOD}):
            fields = client.hgetall(keys.signals(pseudonym(user, secret)))
            held[user] = {name: json.loads(text) for name, text in fields.items()}
    return {user: fields for user, fields in held.items() if fields}


def _satisfied(arrival: Arrival) -> bool:
    return EVENTS.is_valid(json.loads(arrival.line))


def _parsed(event: dict[str, Any]) -> bool:
    try:
        decode_event(json.dumps(event).encode())
    except ValidationError:
        return False
    return True


def test_reader_finds_complete_schemas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No reader finds a part of a schema while the command writes it."""
    monkeypatch.setattr("sys.argv", ["schemas", str(tmp_path)])
    main()
    name = "event.schema.json"
    with read_repeatedly(tmp_path / name) as found:
        for _ in range(50):
            main()
    assert found == {documents()[name].encode()}
