"""Load on the HTTP service from a process of its own: requests at a rate, or as many as the service answers.

    python -m benchmarks.http_load PORT KEY --users N --seconds N [--rate N] [--connections N]

At a rate, a request has its time in advance (open loop): a slow answer delays no later request, and its own delay
counts from that time on. Without a rate, each connection sends the next request after an answer (closed loop).
"""

import argparse
import asyncio
import json
from collections import deque
from time import perf_counter, process_time
from typing import cast

from benchmarks.live_worker import quantile

_WARM_UP_S = 2.0


class _Connection(asyncio.Protocol):
    """Connection with one request at a time."""

    def __init__(self, load: "_Load") -> None:
        self._load = load
        self._data = b""
        self._since_s = 0.0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._load.is_free(self)

    def send(self, request: bytes, since_s: float) -> None:
        """Send a request, whose delay counts from `since_s` on."""
        self._since_s = since_s
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, found, body = self._data.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._data = b""
        self._load.answered(perf_counter() - self._since_s, is_good=head.startswith(b"HTTP/1.1 200"))
        self._load.is_free(self)


class _Load:
    """Requests of all connections.

    Args:
        requests: encoded requests, sent in turns.
        rate: requests per second; 0: the next one after each answer.
    """

    def __init__(self, requests: list[bytes], rate: float) -> None:
        self._requests = requests
        self._rate = rate
        self._free: deque[_Connection] = deque()
        self._due: deque[float] = deque()
        self._sent = 0
        self.delays_s: list[float] = []
        self.failed = 0
        self._is_counted = False

    def is_free(self, connection: _Connection) -> None:
        """Take a connection for the next request."""
        if not self._rate:
            self._send(connection, perf_counter())
        elif self._due:
            self._send(connection, self._due.popleft())
        else:
            self._free.append(connection)

    def answered(self, delay_s: float, *, is_good: bool) -> None:
        """Count an answer."""
        if self._is_counted:
            self.delays_s.append(delay_s)
            self.failed += not is_good

    def _send(self, connection: _Connection, since_s: float) -> None:
        self._sent += 1
        connection.send(self._requests[self._sent % len(self._requests)], since_s)

    async def run(self, seconds: float) -> None:
        """Send for some seconds, after a warm-up that does not count."""
        start_s = perf_counter()
        number = 0
        while (now_s := perf_counter()) < start_s + _WARM_UP_S + seconds:
            self._is_counted = now_s >= start_s + _WARM_UP_S
            while self._rate and (at_s := start_s + number / self._rate) <= now_s:
                number += 1
                if self._free:
                    self._send(self._free.popleft(), at_s)
                else:
                    self._due.append(at_s)
            await asyncio.sleep(0.0005)
        self._is_counted = False


def _requests(port: int, key: str, users: int) -> list[bytes]:
    found = []
    for number in range(users):
        body = b'{"user":"user-%06d","unit":"conversation-%d","topic":"code","surface":"chat"}' % (number, number)
        found.append(
            b"POST /v1/choices HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (port, key.encode(), len(body)) + body
        )
    return found


async def _measure(options: argparse.Namespace) -> dict[str, float]:
    load = _Load(_requests(options.port, options.key, options.users), options.rate)
    loop = asyncio.get_running_loop()
    for _ in range(options.connections):
        await loop.create_connection(lambda: _Connection(load), "127.0.0.1", options.port)
    cpu_s = process_time()
    await load.run(options.seconds)
    delays_s = sorted(load.delays_s)
    return {
        "answers_per_s": len(delays_s) / options.seconds,
        "failed": load.failed,
        "p50_ms": quantile(delays_s, 0.5) * 1000,
        "p99_ms": quantile(delays_s, 0.99) * 1000,
        "p999_ms": quantile(delays_s, 0.999) * 1000,
        "generator_cpu": (process_time() - cpu_s) / (options.seconds + _WARM_UP_S),
    }


def main() -> None:
    """Send, and print the figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.http_load")
    parser.add_argument("port", type=int)
    parser.add_argument("key")
    parser.add_argument("--users", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--connections", type=int, default=64)
    print(json.dumps(asyncio.run(_measure(parser.parse_args()))))


if __name__ == "__main__":
    main()
