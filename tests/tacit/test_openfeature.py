"""tacit/openfeature: facets are flags of OpenFeature's own client, and Redis never makes an evaluation fail."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from queue import Queue

import msgspec
import pytest
import redis
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import EventDetails, ProviderEvent
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagEvaluationDetails, Reason
from openfeature.provider import ProviderStatus

from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Target
from state.counters import SinkCounters
from tacit import ActedOn, Catalogue, ChangeReader, RegionKeys, SignalReader, pseudonym, pseudonym_text
from tacit.openfeature import PROMPT_FLAG, TacitProvider
from tacit.testing import FakeAsyncSignalReader, FakeSignalReader
from tests.support.sample_signals import NOW_MS, signal, write

CATALOGUE = Catalogue.load()
ADA = EvaluationContext("ada", {"unit": "c-1", "topic": "code", "surface": "chat"})
SECRET = "a secret of tests"


@pytest.fixture(autouse=True)
def no_provider() -> Iterator[None]:
    yield
    api.clear_providers()


@pytest.fixture
def reader() -> FakeSignalReader:
    found = FakeSignalReader()
    found.set("ada", length="concise")
    found.set_signal("ada", "tone", "formal", tier="hint", runner_up="neutral", gap=0.1)
    return found


def client_of(provider: TacitProvider) -> OpenFeatureClient:
    api.set_provider_and_wait(provider)
    return api.get_client()


def flag(client: OpenFeatureClient, name: str, context: EvaluationContext = ADA) -> FlagEvaluationDetails[str]:
    return client.get_string_details(name, "the caller's", context)


def test_facet_is_a_flag_with_value_reason_and_metadata(reader: FakeSignalReader) -> None:
    """As the choice has them."""
    client = client_of(TacitProvider(reader))
    found = flag(client, "tone")
    choice = reader.get("ada").choose("c-1", topic="code", surface="chat")
    [followed] = [entry for entry in choice.acted_on if entry["facet"] == "tone"]
    assert (found.value, found.variant, found.reason) == ("formal", "formal", Reason.TARGETING_MATCH)
    assert found.flag_metadata == {
        "policy": "learned",
        "status": "fresh",
        "strength": "hint",
        "propensity": 1.0,
        "version": followed["version"],
    }
    assert flag(client, "format").reason == Reason.DEFAULT


def test_drawn_value_is_a_split(reader: FakeSignalReader) -> None:
    """With its propensity, and the runner-up that estimates need."""
    reader.consent("ada")
    reader.set_signal("ada", "length", "concise", runner_up="balanced", explore=0.4)
    client = client_of(TacitProvider(reader))
    found = [flag(client, "length", EvaluationContext("ada", {"unit": str(number)})) for number in range(40)]
    assert {each.reason for each in found} == {Reason.SPLIT}
    assert {each.value for each in found} >= {"concise", "balanced"}
    assert {each.flag_metadata["runner_up"] for each in found} == {"balanced"}
    assert (
        flag(client, "length", EvaluationContext("ada")).value == flag(client, "length", EvaluationContext("ada")).value
    )


def test_pin_is_a_match_and_a_policy_without_signals_static(reader: FakeSignalReader) -> None:
    """An opted-out user gets the catalogue's values."""
    reader.pin("ada", "length", "detailed")
    client = client_of(TacitProvider(reader))
    assert (flag(client, "length").value, flag(client, "length").reason) == ("detailed", Reason.TARGETING_MATCH)
    assert flag(client, "length").flag_metadata["strength"] == "pin"
    reader.set_status("ada", "opted_out")
    found = flag(client, "length")
    assert (found.value, found.reason, found.flag_metadata["policy"]) == ("balanced", Reason.STATIC, "opted_out")


def test_facet_without_a_value_is_the_callers_default() -> None:
    """Nothing is known of it, and the catalogue has no default."""
    facets = {"tone": msgspec.structs.replace(CATALOGUE.facets["tone"], default=None)}
    catalogue = msgspec.structs.replace(CATALOGUE, facets=facets)
    found = flag(client_of(TacitProvider(FakeSignalReader(catalogue), catalogue=catalogue)), "tone")
    assert (found.value, found.reason, found.variant) == ("the caller's", Reason.DEFAULT, None)


def test_prompt_flag_has_the_whole_choice(reader: FakeSignalReader) -> None:
    """Its entries go back with the feedback."""
    found = client_of(TacitProvider(reader)).get_object_details(PROMPT_FLAG, {}, ADA)
    choice = reader.get("ada").choose("c-1", topic="code", surface="chat")
    assert isinstance(found.value, dict)
    assert found.value["prompt"] == choice.prompt()
    assert found.value["values"] == choice.values
    entries: object = found.value["acted_on"]
    assert [ActedOn(**entry) for entry in entries] == [ActedOn(**followed) for followed in choice.acted_on]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "context", "code"),
    [
        ("size", ADA, ErrorCode.FLAG_NOT_FOUND),
        ("length", EvaluationContext(), ErrorCode.TARGETING_KEY_MISSING),
        (PROMPT_FLAG, ADA, ErrorCode.TYPE_MISMATCH),
    ],
)
def test_wrong_evaluation_has_the_code_and_the_callers_default(
    name: str, context: EvaluationContext, code: ErrorCode, reader: FakeSignalReader
) -> None:
    """Of the specification; no user id is in the text."""
    found = flag(client_of(TacitProvider(reader)), name, context)
    assert (found.value, found.error_code, found.reason) == ("the caller's", code, Reason.ERROR)
    assert "ada" not in (found.error_message or "")


def test_facet_is_no_other_type(reader: FakeSignalReader) -> None:
    """Boolean, number or object."""
    client = client_of(TacitProvider(reader))
    found = [
        client.get_boolean_details("length", True, ADA),
        client.get_integer_details("length", 1, ADA),
        client.get_float_details("length", 1.0, ADA),
        client.get_object_details("length", {}, ADA),
        client.get_object_details(PROMPT_FLAG, [], ADA),
    ]
    assert {each.error_code for each in found} == {ErrorCode.TYPE_MISMATCH}


@pytest.mark.parametrize("has_async_reader", [True, False])
def test_async_client_gets_the_same(has_async_reader: bool, reader: FakeSignalReader) -> None:
    """With a reader of asyncio, or without."""
    client = client_of(TacitProvider(reader, async_reader=FakeAsyncSignalReader(reader) if has_async_reader else None))

    async def found() -> tuple[object, object]:
        one = await client.get_string_details_async("length", "the caller's", ADA)
        return one, await client.get_object_details_async(PROMPT_FLAG, {}, ADA)

    assert asyncio.run(found()) == (flag(client, "length"), client.get_object_details(PROMPT_FLAG, {}, ADA))


def test_redis_that_is_down_gives_defaults_and_a_stale_provider(reader: FakeSignalReader) -> None:
    """Until it answers again."""
    client = client_of(TacitProvider(reader))
    reader.is_down = True
    found = flag(client, "length")
    assert (found.value, found.reason, found.error_code) == ("balanced", Reason.DEFAULT, None)
    assert found.flag_metadata["status"] == "unavailable"
    assert client.get_provider_status() == ProviderStatus.STALE
    reader.is_down = False
    assert flag(client, "length").value == "concise"
    assert client.get_provider_status() == ProviderStatus.READY


def test_provider_starts_without_redis() -> None:
    """An assistant must start, too."""
    with SignalReader("redis://127.0.0.1:1", region="eu", secret=SECRET) as reader:
        changes = ChangeReader("redis://127.0.0.1:1", region="eu")
        assert flag(client_of(TacitProvider(reader, changes=changes)), "length").value == "balanced"


def test_changes_in_a_real_redis_are_events(redis_url: str, redis_client: redis.Redis) -> None:
    """With the users that changed; a read after the event finds the new value."""
    received: Queue[EventDetails] = Queue()
    user = pseudonym("ada", SECRET.encode())
    with SignalReader(redis_url, region="eu", secret=SECRET) as reader:
        client = client_of(TacitProvider(reader, changes=ChangeReader(redis_url, region="eu")))
        client.add_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, received.put)
        assert flag(client, "length").value == "balanced"
        with closing(SignalWriter(Target(redis_url, "eu"), SinkCounters())) as writer:
            writer.write([write(("length", signal("concise", NOW_MS)), user=user)])
        details = received.get(timeout=10)
        assert details.metadata == {"users": pseudonym_text(user)}
        assert set(details.flags_changed or ()) == {*CATALOGUE.facets, PROMPT_FLAG}
        assert flag(client, "length").value == "concise"
        redis_client.set(RegionKeys("eu").active, "next")
        assert received.get(timeout=10).metadata == {}
        api.clear_providers()
