"""The peers' job on Bytewax: signals in Redis are those of the job itself."""

from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from bytewax.dataflow import Dataflow
from bytewax.testing import run_main

from benchmarks.peers.bytewax_job import build, build_windows
from benchmarks.peers.job import User, key_of, parse, step
from benchmarks.streams import demo_stream


@pytest.mark.parametrize("make", [build, build_windows])
def test_signals_are_those_of_the_job(
    make: Callable[[str, str], Dataflow], redis_url: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    """Each user has the signal after the user's last event; broken lines are left out."""
    path = demo_stream(tmp_path, 300).files.whole
    run_main(make(path, redis_url))
    users: dict[str, User] = {}
    expected: dict[str, str] = {}
    for event in filter(None, map(parse, Path(path).read_bytes().splitlines())):
        user_id = event["user_id"]
        expected[key_of(user_id)] = step(users.setdefault(user_id, User()), event)
    assert {key: redis_client.get(key) for key in redis_client.scan_iter()} == expected
