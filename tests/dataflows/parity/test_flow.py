"""dataflows/parity/flow and replayed: a replay in memory ends as a replay into Redis does, byte for byte."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
import redis

from dataflows.job import Job
from dataflows.parity.flow import replay_users
from dataflows.settings import Settings
from tacit.contract.keys import RegionKeys
from tacit.contract.pseudonyms import pseudonym
from tests.support.commands import SECRET
from tests.support.factories import make_event
from tests.support.replays import now_ms, replay, write_lines

USERS = [f"user-{number}" for number in range(24)]
KEYS = RegionKeys("eu").within("live")
DAY_MS = 24 * 3_600_000


def history(seed: int) -> list[dict[str, Any]]:
    """Return events of 45 days with wipes, opt-outs, partial forgets and pins."""
    random, now = Random(seed), now_ms()
    at = now - 45 * DAY_MS
    events = []
    for number in range(1_200):
        at += random.randrange(2 * 45 * DAY_MS // 1_200)
        common: dict[str, Any] = {"event_id": f"e-{number}", "user_id": random.choice(USERS), "at": min(at, now - 1)}
        roll = random.random()
        if roll < 0.02:
            events.append(make_event(type="forget", **common))
        elif roll < 0.04:
            events.append(make_event(type="forget", facets=[random.choice(["length", "tone"])], **common))
        elif roll < 0.1:
            granted = random.random() < 0.7
            scope = random.choice([None, ["use"], ["learn", "explore"]])
            events.append(make_event(type="consent", granted=granted, **({"scope": scope} if scope else {}), **common))
        elif roll < 0.13:
            value = random.choice(["concise", None])
            events.append(make_event(type="pin", facet="length", value=value, **common))
        else:
            kind = random.choice(["thumbs_up", "thumbs_down", "shorter"])
            served = {"length": random.choice(["concise", "detailed"])}
            events.append(
                make_event(turn_id=f"t-{number}", topic="code", served=served, feedback={"kind": kind}, **common)
            )
    return events


@pytest.mark.parametrize("seed", [1, 2])
def test_memory_ends_as_redis_does(redis_url: str, redis_client: redis.Redis, seed: int, tmp_path: Path) -> None:
    """For a few of the users, in their own namespace; the other users leave nothing."""
    events = history(seed)
    grants = [make_event(type="consent", granted=True, event_id=f"c-{u}", user_id=u, at=events[0]["at"]) for u in USERS]
    file = write_lines(tmp_path / "events.jsonl", [*grants, *events])
    replay(redis_url, file, "--population", "none", cwd=tmp_path)
    taken = [pseudonym(user, SECRET.encode()) for user in USERS[:16]]
    settings = Settings(secret=SECRET, population="none", namespace="live")
    found = replay_users(Job(settings, (file,), bounded=True), frozenset(taken), None)
    with redis.Redis.from_url(redis_url) as raw:
        for user in taken:
            assert found.fields(user) == raw.hgetall(KEYS.signals(user))
    assert sum(bool(found.fields(user)) for user in taken) > 8
    assert all(found.fields(pseudonym(user, SECRET.encode())) == {} for user in USERS[16:])
