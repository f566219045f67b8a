"""tacit/testing: fakes return what the real reader returns for the same keys, and record what an emitter sends."""

import asyncio

import msgspec
import pytest
import redis

from tacit import Catalogue, ConfigurationError, ControlEvents, EventError, QueueFullError, SignalReader
from tacit.contract.keys import RegionKeys
from tacit.reader.adaptation import Status
from tacit.testing import FakeAsyncSignalReader, FakeSignalReader, RecordingEmitter
from tacit.testing.memory import SECRET

CATALOGUE = Catalogue.load()
STATUSES: list[Status] = ["fresh", "aged", "absent", "opted_out", "unavailable", "unknown_schema"]


@pytest.fixture
def reader() -> FakeSignalReader:
    found = FakeSignalReader()
    found.set("ada", length="concise", tone="formal")
    return found


def test_learned_value_is_in_the_choice(reader: FakeSignalReader) -> None:
    """With the wording of its tier, and the version that goes back."""
    reader.set_signal("ada", "format", "bullets", tier="hint", runner_up="table", gap=0.1)
    choice = reader.get("ada").choose(unit="c-1")
    assert choice.prompt() == "Keep answers short. Lean towards bullet points. Keep a formal tone."
    assert choice.strengths["length"] == "apply"
    assert choice.acted_on[0]["version"] is not None
    assert reader.get("ben").status == "absent"


@pytest.mark.parametrize("status", STATUSES)
def test_each_status_can_be_set(status: Status, reader: FakeSignalReader) -> None:
    """And taken back."""
    reader.set_status("ada", status)
    assert reader.get("ada").status == status
    reader.set_status("ada", "absent")
    reader.set("ada", length="concise")
    assert reader.get("ada").status == "fresh"


def test_redis_that_is_down_gives_defaults(reader: FakeSignalReader) -> None:
    """Of all users, until it is back."""
    reader.is_down = True
    assert reader.get("ada").choose(unit="c").values["length"] == "balanced"
    assert {found.status for found in reader.get_many(["ada", "ben"]).values()} == {"unavailable"}
    reader.is_down = False
    assert reader.get("ada").status == "fresh"


def test_exploration_needs_consent(reader: FakeSignalReader) -> None:
    """As with real signals."""
    reader.set_signal("ada", "length", "concise", explore=0.5)

    def served() -> set[str]:
        return {reader.get("ada").choose(unit=str(number)).values["length"] for number in range(50)}

    assert served() == {"concise"}
    reader.consent("ada")
    assert len(served()) > 1


def test_pins_profile_and_defaults_are_read(reader: FakeSignalReader) -> None:
    """The user's own setting outranks; another user gets the population's default."""
    reader.consent("ada")
    reader.pin("ada", "length", "detailed")
    reader.pin("ada", "format", None)
    reader.set_profile("ada", email=0.6, code=0.2)
    adaptation = reader.get("ada")
    assert adaptation.choose(unit="c").strengths["length"] == "pin"
    assert adaptation.decided == {"length", "format"}
    assert adaptation.describe("c").topics == (("email", 0.6), ("code", 0.2))
    other = FakeSignalReader()
    other.set_default("tone", "friendly")
    assert other.get("ben").choose(unit="c").values["tone"] == "friendly"


def test_typing_error_of_a_test_is_an_error(reader: FakeSignalReader) -> None:
    """A fake without it would hide the fault."""
    with pytest.raises(ConfigurationError, match="facet 'size': allowed are length, "):
        reader.set("ada", size="concise")
    with pytest.raises(ConfigurationError, match="length 'short': allowed are concise, "):
        reader.pin("ada", "length", "short")
    with pytest.raises(ConfigurationError, match="status: the user has no signal yet"):
        reader.set_status("ben", "aged")


def test_asyncio_reader_has_the_same_users(reader: FakeSignalReader) -> None:
    """Changes included."""
    other = FakeAsyncSignalReader(reader)
    assert asyncio.run(other.get("ada")) == reader.get("ada")
    reader.set("ada", length="detailed")
    assert asyncio.run(other.get_many(["ada"]))["ada"].choose(unit="c").values["length"] == "detailed"


def test_real_reader_finds_the_same_in_a_real_redis(
    reader: FakeSignalReader, redis_url: str, redis_client: redis.Redis
) -> None:
    """The keys in memory are keys of the contract."""
    reader.consent("ada")
    reader.pin("ada", "expertise", "expert")
    reader.set_profile("ada", email=0.6)
    memory = reader.memory
    for key, fields in memory._hashes.items():
        redis_client.hset(key, mapping=fields)  # type: ignore[arg-type]
    for key, text in memory._strings.items():
        redis_client.set(key, text)
    assert RegionKeys("eu").within("live").signals_pattern.partition("*")[0] in next(iter(memory._hashes))
    with SignalReader(redis_url, region="eu", secret=SECRET) as real:
        assert real.get("ada") == reader.get("ada")


def test_recording_emitter_checks_as_a_real_one() -> None:
    """And has the events at once."""
    emitter, decide = RecordingEmitter(CATALOGUE), ControlEvents("eu")
    pin = decide.pin("ada", "length", "concise")
    emitter.send(pin)
    assert emitter.events == [pin]
    assert emitter.flush()
    assert emitter.counts().sent == 1
    with pytest.raises(EventError, match="value: not in the catalogue"):
        emitter.send(decide.pin("ada", "length", "short"))


def test_recording_emitter_can_be_full() -> None:
    """As after an outage."""
    emitter = RecordingEmitter()
    emitter.is_full = True
    with pytest.raises(QueueFullError):
        emitter.send(ControlEvents("eu").forget("ada"))
    reader = FakeSignalReader()
    emitter.send(reader.get("ada").choose(unit="c").turn("ada").event())
    assert emitter.counts().dropped == 1
    assert emitter.events == []


def test_catalogue_of_a_deployment_is_used() -> None:
    """Its facets alone."""
    facet = msgspec.structs.replace(CATALOGUE.facets["tone"], title="Voice")
    reader = FakeSignalReader(msgspec.structs.replace(CATALOGUE, facets={"voice": facet}))
    reader.set("ada", voice="formal")
    assert dict(reader.get("ada").choose(unit="c").values) == {"voice": "formal"}
