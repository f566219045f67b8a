"""Histories in files, their replays, and the content of Redis afterwards."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from tacit_lab.embedded import EmbeddedRedis
from tacit_lab.simulate import Scenario, simulate
from tacit_lab.simulate.output import write_events
from tests.support.commands import NONE, Limits, everything_in, tacit


def now_ms() -> int:
    """Return epoch milliseconds."""
    return time.time_ns() // 1_000_000


END_MS = 1_764_000_000_000
"""End of histories with the same figures at each run."""


def write_history(
    path: Path, *, users: int = 100, turns: int = 3_000, days: int = 20, seed: int = 5, end_ms: int | None = None
) -> int:
    """Write a simulated history, and return its number of records.

    It ends now, within the time to live of signals, unless `end_ms` is given: hours and days make other figures.
    """
    scenario = Scenario(end_ms=now_ms() if end_ms is None else end_ms, users=users, turns=turns, days=days, seed=seed)
    return write_events(simulate(scenario).events, str(path))


def write_lines(path: Path, lines: Iterable[bytes | Mapping[str, Any]]) -> Path:
    """Write events, or any bytes, as the lines of a file, and return its path."""
    path.write_bytes(b"".join((x if isinstance(x, bytes) else json.dumps(x).encode()) + b"\n" for x in lines))
    return path


@contextmanager
def redis_of_its_own() -> Iterator[tuple[str, redis.Redis]]:
    """Yield the URL of an empty server, and a client with text replies."""
    with EmbeddedRedis() as server, redis.Redis.from_url(server.url, decode_responses=True) as client:
        yield server.url, client


def replay(url: str, *words: object, cwd: Path, limits: Limits = NONE) -> dict[str, Any]:
    """Run a replay without output on stderr but its progress, and return its summary."""
    done = tacit("replay", *map(str, words), "--redis", url, "--json", cwd=cwd, limits=limits)
    others = [line for line in done.stderr.splitlines() if '"event": "replay.progress"' not in line]
    assert (done.returncode, others) == (0, []), done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def left_by(*words: object, cwd: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run a replay into an empty Redis, and return the summary and the content of Redis."""
    with redis_of_its_own() as (url, client):
        return replay(url, *words, cwd=cwd), everything_in(client)


def accounted_for(summary: Mapping[str, Any]) -> int:
    """Return the sum of all outcomes and rejects of a summary."""
    outcomes = ("accepted", "duplicate", "unconsented", "before_wipe")
    counts: list[int] = [*(summary[name] for name in outcomes), *summary["rejected"].values()]
    return sum(counts)
