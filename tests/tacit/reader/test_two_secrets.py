"""Readers with two secrets, during a rotation: what restricts a user under either one holds."""

import asyncio
from collections.abc import Callable
from contextlib import closing

import pytest
from msgspec.structs import replace

from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Target
from state.counters import SinkCounters
from state.user.writes import Write
from tacit import Adaptation, AsyncSignalReader, SignalReader
from tacit.contract.catalogue import Catalogue, Holdout
from tacit.contract.holdout import is_held_out
from tacit.contract.pseudonyms import pseudonym
from tacit.errors import ConfigurationError
from tests.support.gates import consent, opt_out, pin
from tests.support.sample_signals import NOW_MS, signal, write

OLD, NEW = "the secret before", "the secret behind"
BEFORE, NOW = (pseudonym("ada", secret.encode()) for secret in (OLD, NEW))


def _read(url: str) -> Adaptation:
    with SignalReader(url, region="eu", secret=NEW, previous_secret=OLD) as reader:
        return reader.get("ada")


def _read_async(url: str) -> Adaptation:
    async def read() -> Adaptation:
        async with AsyncSignalReader(url, region="eu", secret=NEW, previous_secret=OLD) as reader:
            return await reader.get("ada")

    return asyncio.run(read())


both = pytest.mark.parametrize("read", [_read, _read_async], ids=["sync", "async"])
Read = Callable[[str], Adaptation]


def _write(url: str, *writes: Write) -> None:
    with closing(SignalWriter(Target(url, "eu"), SinkCounters())) as writer:
        writer.write(writes)


@both
@pytest.mark.parametrize("user", [BEFORE, NOW], ids=["previous", "current"])
def test_signals_under_either_secret_are_read(read: Read, user: bytes, redis_url: str) -> None:
    _write(redis_url, write(("length", signal("concise", NOW_MS)), user=user))
    adaptation = read(redis_url)
    assert (adaptation.status, adaptation.signals["length"].value) == ("fresh", "concise")


@both
@pytest.mark.parametrize("user", [BEFORE, NOW], ids=["previous", "current"])
def test_no_under_either_secret_wins(read: Read, user: bytes, redis_url: str) -> None:
    """The signals are under the other secret."""
    other = NOW if user == BEFORE else BEFORE
    _write(redis_url, write(("length", signal("concise", NOW_MS)), user=other), opt_out(NOW_MS, user))
    adaptation = read(redis_url)
    assert (adaptation.status, adaptation.signals, adaptation.consent.use) == ("opted_out", {}, "denied")


@both
def test_denied_exploration_under_the_previous_secret_holds(read: Read, redis_url: str) -> None:
    _write(
        redis_url,
        write(("length", signal("concise", NOW_MS, explore=0.2)), user=NOW),
        consent("granted", NOW_MS, user=NOW),
        consent("denied", NOW_MS - 1, ["explore"], user=BEFORE),
    )
    adaptation = read(redis_url)
    assert adaptation.consent == ("granted", "granted", "denied")
    assert adaptation.choose(unit="c").acted_on[0]["propensity"] == 1


@both
def test_newer_pin_is_on_top_of_one_under_the_previous_secret(read: Read, redis_url: str) -> None:
    """A pin of a user with an unknown id stays under the previous secret."""
    _write(
        redis_url,
        write(("length", signal("concise", NOW_MS)), ("tone", signal("neutral", NOW_MS, default=None)), user=NOW),
        pin("tone", "formal", NOW_MS - 1, BEFORE),
    )
    assert {name: found.value for name, found in read(redis_url).signals.items()} == {
        "length": "concise",
        "tone": "formal",
    }
    _write(redis_url, pin("tone", "friendly", NOW_MS, NOW))
    assert read(redis_url).signals["tone"].value == "friendly"


@pytest.mark.parametrize("user", [BEFORE, NOW], ids=["previous", "current"])
def test_pin_events_under_either_secret_decide_a_facet(user: bytes, redis_url: str) -> None:
    """So no question is asked twice during a rotation."""
    other = NOW if user == BEFORE else BEFORE
    signals = write(("length", signal("concise", NOW_MS)), user=NOW)
    _write(redis_url, signals, pin("tone", None, NOW_MS, user), pin("format", "code", NOW_MS, other))
    assert _read(redis_url).decided == {"tone", "format"}


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("user", [BEFORE, NOW], ids=["previous", "current"])
def test_current_secret_decides_on_the_holdout(user: bytes, share: float, redis_url: str) -> None:
    """The workers use it."""
    _write(redis_url, write(("length", signal("concise", NOW_MS)), user=user))
    catalogue = replace(Catalogue.load(), holdout=Holdout(share))
    with SignalReader(redis_url, region="eu", secret=NEW, previous_secret=OLD, catalogue=catalogue) as reader:
        found = reader.get("ada")
    assert (found.signals["length"].value, found.held_out) == ("concise", is_held_out(NOW, share))


def test_short_previous_secret_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="previous_secret: 5 bytes; 16 to 64 are allowed"):
        SignalReader("redis://localhost", region="eu", secret=NEW, previous_secret="short")
