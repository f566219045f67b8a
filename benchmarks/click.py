"""Delay from a click on the page of a user to the changed answer of a reader, through a real Kafka.

    python -m benchmarks.click [--clicks N]

The benchmark needs the broker of the tests (`python -m tests.support.kafka_broker install`) and is skipped without it.
A click sends the form of "I choose" with another value of a facet. The delay begins before the request and ends when
`SignalReader` chooses the value; the second figure is the time until the page has answered.
"""

import argparse
import re
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import httpx2

from benchmarks.live_worker import quantile
from benchmarks.machine import machine
from tacit import SignalReader
from tests.support.commands import SECRET
from tests.support.kafka_broker import started_broker
from tests.support.kafka_jars import BrokerUnavailableError
from tests.support.kafka_topics import Kafka
from tests.tacit_service.page.deployment import deployed

USER, FACET, VALUES = "ada", "length", ("concise", "balanced", "detailed")


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.click", description=__doc__.split("\n")[0])
    parser.add_argument("--clicks", type=int, default=300)
    options = parser.parse_args()
    print(machine())
    try:
        with contextmanager(started_broker)() as broker:
            _measure(broker, options.clicks)
    except BrokerUnavailableError as error:
        print(f"skipped: {error}")


def _measure(broker: Kafka, clicks: int) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="tacit-click-") as folder,
        deployed(broker, Path(folder), USER, options=("--rate-user", "100000")) as deployment,
        SignalReader(deployment.redis, region="eu", secret=SECRET.encode()) as reader,
        httpx2.Client(base_url=deployment.service.url, timeout=30, follow_redirects=True) as browser,
        ThreadPoolExecutor(1) as clicking,
    ):
        browser.get(deployment.link(USER))
        [token, *_] = re.findall(r'name="token" value="([0-9a-f]+)"', browser.get("/page").text)
        changed: list[float] = []
        answered: list[float] = []

        def click(value: str) -> float:
            form = {"token": token, "facet": FACET, "value": value}
            answer = browser.post("/page/choose", data=form, headers={"Origin": deployment.service.url})
            answer.raise_for_status()
            return time.monotonic()

        for _, value in zip(range(clicks), cycle(VALUES), strict=False):
            begun_s = time.monotonic()
            done = clicking.submit(click, value)
            _wait_for(reader, value)
            changed.append(time.monotonic() - begun_s)
            answered.append(done.result() - begun_s)
    for name, delays in (("changed answer", sorted(changed)), ("page", sorted(answered))):
        print(
            f"click to {name}, {clicks:,} measured: p50 {quantile(delays, 0.5) * 1000:.1f} ms, "
            f"p99 {quantile(delays, 0.99) * 1000:.1f} ms, max {delays[-1] * 1000:.0f} ms"
        )


def _wait_for(reader: SignalReader, value: str) -> None:
    deadline_s = time.monotonic() + 30
    while reader.get(USER).choose("c-1", explore=False).values[FACET] != value:
        if time.monotonic() > deadline_s:
            raise TimeoutError("the choice did not change within 30 s")
        time.sleep(0.001)


if __name__ == "__main__":
    main()
