"""Delay from Kafka to a readable signal in Redis, of a live run with a real broker.

    python -m benchmarks.live [--rate N] [--seconds N] [--processes N] [--users N]

The benchmark needs the broker of the tests (`python -m tests.support.kafka_broker install`) and is skipped without it.
Two of ten events are the consent and the first answer of a new user. Redis reports the creation of that user's
signals (keyspace notifications), so nothing polls. The other events are answers with feedback of 2,000 users, or of the
users in the state (--users).
"""

import argparse
import os
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import msgspec
import redis
from kafka import KafkaProducer  # type: ignore[import-untyped]

from benchmarks.live_worker import live_worker, quantile
from benchmarks.machine import machine
from benchmarks.processes import in_new_process
from benchmarks.synthetic_users import fill, pseudonyms
from connectors.kafka.address import TopicAddress
from dataflows.state_folder import Identity
from state.catalogue.numbered import NumberedCatalogue
from tacit.contract.keys import hash_tag
from tacit.contract.pseudonyms import fingerprint, pseudonym, pseudonym_text
from tacit_lab.embedded import EmbeddedRedis
from tests.support.commands import SECRET
from tests.support.conditions import eventually
from tests.support.kafka_broker import started_broker
from tests.support.kafka_jars import BrokerUnavailableError
from tests.support.kafka_topics import Kafka

USERS = 2000
FIRST_ANSWER = 5
"""Event of ten that is the first answer of a new user; event 0 is the consent."""
SHARDS = 16


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live", description=__doc__.split("\n")[0])
    parser.add_argument("--rate", type=int, default=500, help="events per second")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--users", type=int, default=0, help="users with full state before the first event")
    options = parser.parse_args()
    print(machine())
    try:
        with contextmanager(started_broker)() as broker:
            _measure(broker, options)
    except BrokerUnavailableError as error:
        print(f"skipped: {error}")


def _measure(broker: Kafka, options: argparse.Namespace) -> None:
    delays_s = _delays(broker, options)
    p50, p99 = quantile(delays_s, 0.50), quantile(delays_s, 0.99)
    print(
        f"produce to readable at {options.rate} events/s, recovery on, {options.processes} process(es), "
        f"{options.users:,} users in the initial state, "
        f"{len(delays_s):,} measured: p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms, "
        f"max {delays_s[-1] * 1000:.0f} ms"
    )


def _delays(broker: Kafka, options: argparse.Namespace) -> list[float]:
    topic = broker.create_topic(partitions=4)
    with (
        tempfile.TemporaryDirectory(prefix="tacit-live-") as folder,
        EmbeddedRedis(options=("--notify-keyspace-events", "Kh")) as server,
        redis.Redis.from_url(server.url) as client,
        _worker(f"kafka://{broker.servers}/{topic}", server.url, Path(folder), options),
    ):
        produced: dict[str, float] = {}
        readable: dict[str, float] = {}
        done = Event()
        listener = Thread(target=_listen, args=(client, readable, done))
        listener.start()
        try:
            _produce(broker.servers, topic, options, produced)
            eventually(lambda: produced.keys() <= readable.keys(), within_s=10, what="a signal of every new user")
        finally:
            done.set()
            listener.join()
    return sorted(readable[user] - at for user, at in produced.items())


@contextmanager
def _worker(source: str, redis_url: str, folder: Path, options: argparse.Namespace) -> Iterator[None]:
    """Run `tacit run` with the users of the options in its state folder."""
    if options.users:
        in_new_process(fill_state, folder / "state", source, options.users)
        os.sync()  # the disk must not be busy with the users that were just written
    with live_worker(source, redis_url, folder, ("--processes", str(options.processes))):
        yield


def fill_state(folder: Path, source: str, users: int) -> None:
    """Write a state folder of the run of a topic, with users with full state."""
    topic, secret = f"topic {TopicAddress.parse(source).topic}", SECRET.encode()
    fill(folder, Identity(SHARDS, "eu", "live", topic, fingerprint(secret)), pseudonyms(users, secret))


def _listen(client: redis.Redis, readable: dict[str, float], done: Event) -> None:
    """Record the time of the first write to each user's key."""
    events = client.pubsub()
    events.psubscribe("__keyspace@0__:*:signals")
    while not done.is_set():
        event = events.get_message(ignore_subscribe_messages=True, timeout=0.2)
        if event is not None:
            readable.setdefault(hash_tag(event["channel"].decode()), time.perf_counter())
    events.close()


def _produce(servers: str, topic: str, options: argparse.Namespace, produced: dict[str, float]) -> None:
    """Send `rate` events per second at even intervals, and record the time of each new user's first answer."""
    rng, catalogue, secret = random.Random(3), NumberedCatalogue.load(), SECRET.encode()
    producer = KafkaProducer(bootstrap_servers=servers, linger_ms=0, acks=1, metrics_enabled=False)
    begin = time.perf_counter()
    for number in range(options.rate * options.seconds):
        time.sleep(max(0.0, begin + number / options.rate - time.perf_counter()))
        event = _event(number, rng, catalogue, options.users)
        user_id = str(event["user_id"])
        if number % 10 == FIRST_ANSWER:
            produced[pseudonym_text(pseudonym(user_id, secret))] = time.perf_counter()
        producer.send(topic, msgspec.json.encode(event), user_id.encode())
    producer.flush()
    producer.close()


def _event(number: int, rng: random.Random, catalogue: NumberedCatalogue, users: int) -> dict[str, object]:
    common = {"schema": 1, "event_id": f"e{number}", "at": time.time_ns() // 1_000_000, "region": "eu"}
    if number % 10 == 0:
        return common | {"type": "consent", "user_id": f"new-{number}", "granted": True}
    if number % 10 == FIRST_ANSWER:
        return common | {"user_id": f"new-{number - FIRST_ANSWER}"} | _answer(rng, catalogue)
    user = {"user_id": f"user-{rng.randrange(users or USERS)}"}
    if number < 2 * USERS and not users:
        return common | user | {"type": "consent", "granted": True}
    return common | user | _answer(rng, catalogue)


def _answer(rng: random.Random, catalogue: NumberedCatalogue) -> dict[str, object]:
    served = {facet: rng.choice(values.values) for facet, values in catalogue.facets.items()}
    return {"type": "interaction", "served": served, "feedback": {"kind": "thumbs_up"}}


if __name__ == "__main__":
    main()
