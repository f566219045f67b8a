"""Lifetimes of keys in Redis: each ends without activity, as the table in docs/contract.md has it."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import redis

from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Target
from state.counters import SinkCounters
from state.user.writes import GateWrite, StoredHistory
from tacit.contract.gates import SCOPES, Gate, GatePin, ScopeConsent, encode_gate
from tacit.contract.history import History, encode_history
from tacit.contract.keys import RegionKeys
from tacit.contract.lifetimes import CONSENT_TTL_MS, DAY_MS, SIGNAL_TTL_MS, TOMBSTONE_MS
from tacit.contract.pseudonyms import pseudonym
from tacit.contract.versions import version
from tacit.reader.lookup import MAX_GATE_BYTES
from tacit.reader.reader import SignalReader
from tests.support.conditions import eventually
from tests.support.gates import consent, facet_wipe, forget, opt_in, opt_out, pin
from tests.support.sample_signals import HOUR_MS, NOW_MS, USER, profile, signal, write

CONTRACT = Path(__file__).parents[3] / "docs" / "contract.md"
SECRET = "a secret of tests"
KEYS = RegionKeys("eu")
LIVE = KEYS.within("live").signals(USER)
GATE = KEYS.gate(USER)
T1, T2, T3 = (NOW_MS - HOUR_MS + 1000 * step for step in range(3))
SOON_MS = 200
HISTORY = encode_history(History(version(T1, 1)))


@contextmanager
def _writer(url: str, **limits: int) -> Iterator[SignalWriter]:
    with closing(SignalWriter(Target(url, "eu", **limits), SinkCounters())) as writer:  # type: ignore[arg-type]  # ints
        yield writer


@pytest.fixture
def writer(redis_url: str) -> Iterator[SignalWriter]:
    with _writer(redis_url) as opened:
        yield opened


class TestSignals:
    """The signals hash always expires, whatever the gate holds."""

    @pytest.mark.parametrize("gate", [pin("tone", "formal", T1), opt_in(T1), facet_wipe("tone", version(T1, 1))])
    def test_what_was_learned_and_seen_ends_without_activity(
        self, redis_url: str, redis_client: redis.Redis, gate: GateWrite
    ) -> None:
        with _writer(redis_url, ttl_ms=SOON_MS + HOUR_MS) as writer:
            at_ms = int(redis_client.time()[0]) * 1000 - HOUR_MS + SOON_MS
            writer.write([gate, write(("length", signal("concise", at_ms)), ("_profile", profile(at_ms)))])
            assert redis_client.pttl(LIVE) <= 2 * SOON_MS + 1000
            eventually(lambda: not redis_client.exists(LIVE), within_s=5, what="the end of the signals")
        assert redis_client.exists(GATE)

    def test_pin_outlives_what_was_learned(self, redis_url: str, redis_client: redis.Redis) -> None:
        with SignalReader(redis_url, region="eu", secret=SECRET) as reader, _writer(redis_url) as writer:
            user = pseudonym("ada", SECRET.encode())
            writer.write([pin("tone", "formal", T1, user=user), write(("length", signal("concise", T1)), user=user)])
            redis_client.delete(KEYS.within("live").signals(user))  # as at the end of its time
            found = reader.get("ada")
        assert {facet: found.signals[facet].value for facet in found.signals} == {"tone": "formal"}

    def test_status_stays_until_the_user_allows_use(self, writer: SignalWriter, redis_client: redis.Redis) -> None:
        writer.write([opt_out(T1)])
        assert redis_client.pttl(LIVE) == -1
        writer.write([opt_in(T2, wiped_ms=T1)])
        assert not redis_client.exists(LIVE)

    def test_hash_without_an_expiry_gets_one(self, writer: SignalWriter, redis_client: redis.Redis) -> None:
        """Hashes with pins of an earlier worker had none."""
        writer.write([write(("length", signal("concise", T1, source="user")))])
        redis_client.persist(LIVE)
        writer.write([write(("tone", signal("formal", T2)))])
        assert 29 * DAY_MS < redis_client.pttl(LIVE) <= 30 * DAY_MS


WITH_A_NO = [consent("denied", T1, [scope]) for scope in SCOPES]
TOMBSTONES = {
    "forget": forget(T1),
    "forget of a facet": facet_wipe("length", version(T1, 1)),
    "removed pin": pin("tone", None, T1),
}


class TestGate:
    """A "no" and a pin stay; a wipe is remembered for 400 days, a consent for 120 days after the last write."""

    @pytest.mark.parametrize("gate", [*WITH_A_NO, pin("tone", "formal", T1)])
    def test_no_and_pin_have_no_expiry(self, writer: SignalWriter, redis_client: redis.Redis, gate: GateWrite) -> None:
        writer.write([gate, opt_in(T1 - 1), forget(T1 - 1)])
        assert redis_client.pttl(GATE) == -1

    @pytest.mark.parametrize("gate", TOMBSTONES)
    def test_wipe_is_remembered_for_400_days_after_its_time(
        self, writer: SignalWriter, redis_client: redis.Redis, gate: str
    ) -> None:
        writer.write([TOMBSTONES[gate]])
        assert redis_client.pttl(GATE) == pytest.approx(TOMBSTONE_MS, abs=2 * HOUR_MS)
        redis_client.pexpire(GATE, 300 * DAY_MS)
        writer.write([TOMBSTONES[gate]])  # a repeat, as by a replay, is no change
        assert redis_client.pttl(GATE) == pytest.approx(300 * DAY_MS, abs=2 * HOUR_MS)

    @pytest.mark.parametrize("gate", TOMBSTONES)
    def test_wipe_ends_without_activity(self, redis_url: str, redis_client: redis.Redis, gate: str) -> None:
        with _writer(redis_url, tombstone_ms=SOON_MS, ttl_ms=SOON_MS) as writer:
            writer.write([TOMBSTONES[gate]])
            eventually(lambda: not redis_client.exists(GATE), within_s=5, what="the end of the gate")

    @pytest.mark.parametrize("age_ms", [300 * DAY_MS, 500 * DAY_MS])
    def test_old_wipe_is_remembered_until_todays_signals_end(
        self, writer: SignalWriter, redis_client: redis.Redis, age_ms: int
    ) -> None:
        """As in a replay of history."""
        writer.write([forget(NOW_MS - age_ms)])
        assert redis_client.pttl(GATE) == pytest.approx(max(TOMBSTONE_MS - age_ms, SIGNAL_TTL_MS), abs=2 * HOUR_MS)

    @pytest.mark.parametrize("change", [opt_in(T3), pin("tone", None, T3)])
    def test_time_begins_when_the_no_or_the_pin_ends(
        self, writer: SignalWriter, redis_client: redis.Redis, change: GateWrite
    ) -> None:
        is_consent = change.gate.use.state == "granted"
        writer.write([opt_out(T2) if is_consent else pin("tone", "formal", T2)])
        assert redis_client.pttl(GATE) == -1
        writer.write([change])
        assert redis_client.pttl(GATE) == pytest.approx(TOMBSTONE_MS, abs=2 * HOUR_MS)

    @pytest.mark.parametrize("state", ["granted", "lapsed"])
    def test_consent_alone_ends_120_days_after_the_last_write(
        self, writer: SignalWriter, redis_client: redis.Redis, state: str
    ) -> None:
        writer.write([consent(state, T1)])  # type: ignore[arg-type]  # a state of the contract
        assert redis_client.pttl(GATE) == pytest.approx(CONSENT_TTL_MS, abs=2 * HOUR_MS)
        for left_ms, expected_ms in (
            (CONSENT_TTL_MS - 2 * DAY_MS, CONSENT_TTL_MS),
            (CONSENT_TTL_MS - DAY_MS // 2, CONSENT_TTL_MS - DAY_MS // 2),
        ):
            redis_client.pexpire(GATE, left_ms)
            writer.write([write(("length", signal("concise", NOW_MS, seq=left_ms // DAY_MS)))])
            assert redis_client.pttl(GATE) == pytest.approx(expected_ms, abs=2 * HOUR_MS)

    def test_short_memory_of_wipes_does_not_end_a_consent(self, redis_url: str, redis_client: redis.Redis) -> None:
        with _writer(redis_url, tombstone_ms=SOON_MS) as writer:
            writer.write([consent("granted", T2, wiped_ms=T1)])
        assert redis_client.pttl(GATE) == pytest.approx(CONSENT_TTL_MS, abs=2 * HOUR_MS)

    def test_signals_never_shorten_and_never_begin_the_life_of_a_gate(
        self, writer: SignalWriter, redis_client: redis.Redis
    ) -> None:
        writer.write([forget(T1), write(("length", signal("concise", T2)), wiped_ms=T1)])
        assert redis_client.pttl(GATE) == pytest.approx(TOMBSTONE_MS, abs=2 * HOUR_MS)
        writer.write([pin("tone", "formal", T3), write(("length", signal("concise", T3)), wiped_ms=T1)])
        assert redis_client.pttl(GATE) == -1

    def test_gate_that_signals_raise_is_remembered(self, writer: SignalWriter, redis_client: redis.Redis) -> None:
        writer.write([write(("length", signal("concise", T2)), wiped_ms=T1)])
        assert redis_client.pttl(GATE) == pytest.approx(TOMBSTONE_MS, abs=2 * HOUR_MS)

    @pytest.mark.parametrize("first", [f"0000000000000-{T1}", f"{T1}-0000000000000"], ids=["yes", "wipe"])
    @pytest.mark.parametrize("kind", ["gate", "signals"])
    def test_gate_of_the_first_form_gets_an_expiry(
        self, writer: SignalWriter, redis_client: redis.Redis, first: str, kind: str
    ) -> None:
        """It had none; any write for the user gives it one."""
        redis_client.set(GATE, first)
        if kind == "gate":
            writer.write([opt_in(T2)])
        else:
            writer.write([write(("length", signal("concise", T2)), wiped_ms=int(first[:13]))])
        assert redis_client.pttl(GATE) > 0

    def test_gate_of_every_facet_is_readable(self, writer: SignalWriter, redis_client: redis.Redis) -> None:
        """The longest gate is shorter than what a reader decodes."""
        facets = [f"{number:02d}{'x' * 38}" for number in range(64)]
        everything = Gate(
            T1, T1, ScopeConsent("granted", T2), ScopeConsent("granted", T2), ScopeConsent("granted", T2),
            {facet: GatePin("y" * 40, T2) for facet in facets}, {facet: version(T2, 1) for facet in facets},
        )  # fmt: skip
        writer.write([GateWrite(USER, everything)])
        assert redis_client.get(GATE) == encode_gate(everything).decode()
        assert len(encode_gate(everything)) < MAX_GATE_BYTES


class TestHistory:
    """A history ends as signals do, whatever the gate holds."""

    def test_history_ends_without_activity(self, writer: SignalWriter, redis_client: redis.Redis) -> None:
        writer.write([pin("tone", "formal", T1)._replace(history=StoredHistory(T1, HISTORY))])
        left_ms = redis_client.pttl(KEYS.history(USER))
        assert left_ms == pytest.approx(SIGNAL_TTL_MS, abs=2 * HOUR_MS)
        redis_client.pexpire(KEYS.history(USER), SOON_MS)
        eventually(lambda: not redis_client.exists(KEYS.history(USER)), within_s=5, what="the end of the history")
        assert redis_client.exists(GATE)

    def test_time_ahead_of_the_clock_does_not_lengthen_its_life(
        self, writer: SignalWriter, redis_client: redis.Redis
    ) -> None:
        ahead = StoredHistory(NOW_MS + 1000 * DAY_MS, HISTORY)
        writer.write([pin("tone", "formal", T1)._replace(history=ahead)])
        assert redis_client.pttl(KEYS.history(USER)) == pytest.approx(SIGNAL_TTL_MS, abs=HOUR_MS)


def test_every_key_has_a_lifetime_in_the_contract() -> None:
    """A new key needs a row of the table."""
    table = re.findall(r"^\| `(tacit:v1:[^`]*)` \| ([^|]*) \| ([^|]+) \|", CONTRACT.read_text(), re.MULTILINE)
    documented = {key: lifetime.strip() for key, _, lifetime in table}
    region, user = RegionKeys("region"), bytes(16)
    own = region.within("namespace")
    keys = [region.gate(user), region.active, region.previous, region.namespaces, region.secret]
    keys += [own.signals(user), own.defaults, own.population, own.owner, own.hosts]
    keys += [own.replay_hosts, own.replay_round("start"), own.changes, region.history(user)]
    for key in [*keys, own.population_version(7), own.population_pinned, own.proof]:
        general = re.sub(r"k1\.0{32}", "<pseudonym>", key).replace(":region:", ":<region>:").replace(":7", ":<n>")
        general = re.sub(r"\b(namespace|start)\b", r"<\1>", general)
        assert documented.pop(general)
    assert not documented
