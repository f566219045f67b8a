"""The page for .NET names the keys, fields and members that the code has, and the gate rules that readers follow."""

import re

import msgspec
import redis

from tacit import SignalReader
from tacit.contract.gates import Gate, GatePin, ScopeConsent, encode_gate
from tacit.contract.keys import RegionKeys
from tacit.contract.pseudonyms import pseudonym, pseudonym_text
from tacit.contract.signals import PROFILE, STATUS, WIPED, Signal, encode
from tests.support.commands import SECRET
from tests.support.factories import START_MS
from tests.support.pages import ROOT, Page
from tests.support.sample_signals import signal

PAGE = Page(ROOT / "docs/guides/dotnet.md")
CONTRACT = Page(ROOT / "docs/contract.md")
KEYS = RegionKeys("eu")
ADA = pseudonym("ada", SECRET.encode())


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table with this first heading."""
    _, _, table = PAGE.text.partition(f"\n| {heading} | ")
    lines = table.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def code(cell: str) -> str:
    """Return the code span of a cell."""
    return cell.strip("` ")


def test_keys_are_those_of_the_contract() -> None:
    """The patterns are what the code builds, and the contract has each."""
    within = KEYS.within("live")
    built = [KEYS.active, KEYS.gate(ADA), within.signals(ADA), within.defaults, within.changes]
    shown = [code(key) for key, *_ in rows("key")]
    placed = [
        key.replace("<region>", "eu").replace("<namespace>", "live").replace("<pseudonym>", pseudonym_text(ADA))
        for key in shown
    ]
    assert placed == built
    assert [key for key in shown if f"| `{key}` |" not in CONTRACT.text] == []


def test_commands_and_keys_are_those_that_the_reader_may_use() -> None:
    """The page names no command that the Redis user of readers lacks."""
    acl = (ROOT / "connectors/redis/users.acl").read_text()
    (reader,) = [line for line in acl.splitlines() if "tacit-reader" in line]
    for key, command, _ in rows("key"):
        assert f"+{code(command).lower()} " in f"{reader} "
        assert any(
            pattern.rpartition(":")[2] == code(key).rpartition(":")[2] for pattern in re.findall(r"~\S+", reader)
        )


def test_fields_and_members_exist() -> None:
    """Names of the hash, and members of a signal under their names in Redis."""
    assert [code(field) for field, _ in rows("field")[1:]] == [PROFILE, STATUS, WIPED]
    assert {code(member) for member, _ in rows("member of a signal")} <= set(Signal.__struct_encode_fields__)


def test_pseudonym_of_the_page_is_right() -> None:
    """A port of the hash has a value to compare with."""
    assert pseudonym_text(pseudonym("ada", b"0123456789abcdef")) in PAGE.text


def test_rules_of_the_gate_are_those_of_the_reader(redis_url: str, redis_client: redis.Redis) -> None:
    """Each example leads the reader to the decision of its row."""
    redis_client.hset(KEYS.within("live").signals(ADA), "length", encode(signal("concise", START_MS)))
    served = []
    with SignalReader(redis_url, region="eu", secret=SECRET) as reader:
        for _, example, serve in rows("the gate")[1:]:
            redis_client.set(KEYS.gate(ADA), code(example))
            served.append((serve, reader.get("ada").choose("c-1").policy))
    allowed = [serve for serve, policy in served if policy == "learned"]
    assert allowed == ["pins, then signals, then the population's, then the catalogue's defaults"]
    denied = [serve for serve, policy in served if policy == "opted_out"]
    assert len(denied) == len(served) - 1
    assert all(serve.startswith("the catalogue's defaults, no pins") for serve in denied)


def test_places_in_the_gate_are_right() -> None:
    """Characters as the page counts them."""
    forgotten, since = ScopeConsent("granted", START_MS), START_MS + 1
    gate = Gate(0, START_MS, forgotten, ScopeConsent("denied", since), pins={"length": GatePin("concise", since)})
    text = encode_gate(gate).decode()
    assert (text[13:26], text[40], text[67], text[68]) == (str(START_MS), "n", "0", "{")
    assert msgspec.json.decode(text[68:])["pins"] == {"length": ["concise", since]}
