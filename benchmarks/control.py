"""Delay from a forget or a "no" in Kafka until nothing of the user is readable in Redis, of a live run.

    python -m benchmarks.control [--rate N] [--seconds N] [--controls N] [--processes N] [--checkpoint-every N]

The benchmark needs the broker of the tests (`python -m tests.support.kafka_broker install`) and is skipped without it.
Each control event is about a user with learned signals and a pin. Redis reports each write of a gate (keyspace
notifications), so nothing polls; then `SignalReader` reads the user. The delay ends when it returns neither a learned
value nor a pin, and the signals key has neither a facet nor a profile.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import msgspec
import redis
from kafka import KafkaProducer  # type: ignore[import-untyped]

from benchmarks.live_worker import live_worker, quantile
from benchmarks.machine import machine
from state.catalogue.numbered import NumberedCatalogue
from tacit import SignalReader
from tacit.contract.keys import RegionKeys, hash_tag
from tacit.contract.pseudonyms import pseudonym, pseudonym_text
from tacit.contract.signals import PROFILE
from tacit_lab.embedded import EmbeddedRedis
from tests.support.commands import SECRET
from tests.support.conditions import eventually
from tests.support.kafka_broker import started_broker
from tests.support.kafka_jars import BrokerUnavailableError
from tests.support.kafka_topics import Kafka

BACKGROUND_USERS = 2000
LIKES = 12
"""Likes of a user before the control event: enough for a learned value of tier apply."""
KINDS = ("forget", "no")


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.control", description=__doc__.split("\n")[0])
    parser.add_argument("--rate", type=int, default=500, help="background events per second")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--controls", type=int, default=20, help="control events per second, half of each kind")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--checkpoint-every", type=float, default=10)
    options = parser.parse_args()
    print(machine())
    try:
        with contextmanager(started_broker)() as broker:
            _measure(broker, options)
    except BrokerUnavailableError as error:
        print(f"skipped: {error}")


@dataclass(slots=True)
class Watched:
    """Control events on their way: time of the sending and of the effect, by pseudonym."""

    kinds: dict[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    produced: dict[str, float] = field(default_factory=dict)
    gone: dict[str, float] = field(default_factory=dict)

    def delays_s(self, kind: str) -> list[float]:
        return sorted(self.gone[user] - at for user, at in self.produced.items() if self.kinds[user] == kind)


def _measure(broker: Kafka, options: argparse.Namespace) -> None:
    topic = broker.create_topic(partitions=4)
    watched, secret = Watched(), SECRET.encode()
    for number in range(options.controls * options.seconds):
        user_id = f"control-{number}"
        user = pseudonym_text(pseudonym(user_id, secret))
        watched.kinds[user], watched.ids[user] = KINDS[number % 2], user_id
    more = ("--processes", str(options.processes), "--checkpoint-every", f"{options.checkpoint_every:g}")
    with (
        tempfile.TemporaryDirectory(prefix="tacit-control-") as folder,
        EmbeddedRedis(options=("--notify-keyspace-events", "K$")) as server,
        redis.Redis.from_url(server.url, decode_responses=True) as client,
        live_worker(f"kafka://{broker.servers}/{topic}", server.url, Path(folder), more),
        _listening(client, server.url, watched),
    ):
        _teach(broker, topic, watched, client)
        _produce(broker, topic, options, watched)
        eventually(lambda: watched.produced.keys() <= watched.gone.keys(), within_s=30, what="every effect")
    for kind in KINDS:
        delays = watched.delays_s(kind)
        print(
            f"{kind}: produce to nothing readable at {options.rate} events/s, {len(delays):,} measured: "
            f"p50 {quantile(delays, 0.5) * 1000:.1f} ms, p99 {quantile(delays, 0.99) * 1000:.1f} ms, "
            f"max {delays[-1] * 1000:.0f} ms"
        )


@contextmanager
def _listening(client: redis.Redis, url: str, watched: Watched) -> Iterator[None]:
    done = Event()
    listener = Thread(target=_listen, args=(client, url, watched, done))
    listener.start()
    try:
        yield
    finally:
        done.set()
        listener.join()


def _listen(client: redis.Redis, url: str, watched: Watched, done: Event) -> None:
    """Record the time at which a user became unreadable, after a write of the user's gate."""
    events = client.pubsub()
    events.psubscribe("__keyspace@0__:*:gate")
    with SignalReader(url, region="eu", secret=SECRET.encode()) as reader:
        while not done.is_set():
            event = events.get_message(ignore_subscribe_messages=True, timeout=0.2)
            user = hash_tag(event["channel"]) if event else ""
            if user in watched.produced and user not in watched.gone and _is_gone(client, reader, watched, user):
                watched.gone[user] = time.perf_counter()
    events.close()


def _is_gone(client: redis.Redis, reader: SignalReader, watched: Watched, user: str) -> bool:
    adaptation = reader.get(watched.ids[user])
    if any(signal.source in {"learned", "user"} for signal in adaptation.signals.values()):
        return False
    fields = client.hkeys(RegionKeys("eu").within("live").signals_of(user))
    return all(str(name).startswith("_") and name != PROFILE for name in fields)


def _teach(broker: Kafka, topic: str, watched: Watched, client: redis.Redis) -> None:
    """Produce the history of each user of a control event, and wait for the signals."""
    producer = _producer(broker)
    now_ms = time.time_ns() // 1_000_000 - 60_000
    for user_id in watched.ids.values():
        for number, event in enumerate(_history()):
            common = {"schema": 1, "event_id": f"h{number}", "region": "eu", "user_id": user_id, "at": now_ms + number}
            producer.send(topic, msgspec.json.encode(common | event), user_id.encode())
    producer.close()
    keys = RegionKeys("eu").within("live")

    def learned() -> bool:
        return all(client.exists(keys.signals_of(user)) for user in reversed(watched.ids))

    eventually(learned, within_s=120, what="the signals of all users")


def _history() -> Iterator[dict[str, object]]:
    yield {"type": "consent", "granted": True}
    yield {"type": "pin", "facet": "tone", "value": "formal"}
    for _ in range(LIKES):
        yield {"type": "interaction", "served": {"length": "concise"}, "feedback": {"kind": "thumbs_up"}}


def _produce(broker: Kafka, topic: str, options: argparse.Namespace, watched: Watched) -> None:
    """Send background events and control events at even intervals, and record the time of each control event."""
    rng, catalogue = random.Random(3), NumberedCatalogue.load()
    producer, users = _producer(broker), iter(watched.ids.items())
    every = options.rate // options.controls
    begin = time.perf_counter()
    for number in range(options.rate * options.seconds):
        time.sleep(max(0.0, begin + number / options.rate - time.perf_counter()))
        event = _background(number, rng, catalogue)
        producer.send(topic, msgspec.json.encode(event), str(event["user_id"]).encode())
        if number % every == 0:
            user, user_id = next(users)
            control = _control(user_id, watched.kinds[user], number)
            watched.produced[user] = time.perf_counter()
            producer.send(topic, msgspec.json.encode(control), user_id.encode())
    producer.close()


def _producer(broker: Kafka) -> KafkaProducer:
    return KafkaProducer(bootstrap_servers=broker.servers, linger_ms=0, acks=1, metrics_enabled=False)


def _control(user_id: str, kind: str, number: int) -> dict[str, object]:
    common = {"schema": 1, "event_id": f"c{number}", "at": time.time_ns() // 1_000_000, "region": "eu"}
    decision = {"type": "forget"} if kind == "forget" else {"type": "consent", "granted": False}
    return common | {"user_id": user_id} | decision


def _background(number: int, rng: random.Random, catalogue: NumberedCatalogue) -> dict[str, object]:
    common = {"schema": 1, "event_id": f"e{number}", "at": time.time_ns() // 1_000_000, "region": "eu"}
    user = {"user_id": f"user-{rng.randrange(BACKGROUND_USERS)}"}
    if number < 2 * BACKGROUND_USERS:
        return common | user | {"type": "consent", "granted": True}
    served = {facet: rng.choice(values.values) for facet, values in catalogue.facets.items()}
    return common | user | {"type": "interaction", "served": served, "feedback": {"kind": "thumbs_up"}}


if __name__ == "__main__":
    main()
