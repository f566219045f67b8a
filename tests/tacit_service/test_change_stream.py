"""Stream of changes over a real Redis: a client that connects again misses no entry without a `reset`."""

import asyncio
from contextlib import aclosing

import redis

from tacit.contract.keys import RegionKeys
from tacit.reader.transport import AsyncTransport
from tacit_service.change_stream import KEEP_ALIVE, RESET, ChangeStream

KEYS = RegionKeys("eu")
FEED = KEYS.within("live").changes


async def after_first(redis_url: str, redis_client: redis.Redis, kept: int | None) -> list[bytes]:
    """Return the messages for a client that has the first entry, of which it takes one before the feed is cut."""
    transport = AsyncTransport(redis_url)
    try:
        async with aclosing(ChangeStream(transport, KEYS, "live").messages("1-0")) as stream:
            found = [await anext(stream)]
            if kept is not None:
                redis_client.xtrim(FEED, maxlen=kept, approximate=False)
            while found[-1] not in {KEEP_ALIVE, RESET}:
                found.append(await anext(stream))
            return found
    finally:
        await transport.close()


def test_client_that_connects_again_gets_all_missed_entries(redis_url: str, redis_client: redis.Redis) -> None:
    """Page by page; where the feed drops entries before a slow client has taken them, `reset` follows."""
    for number in range(1, 301):
        redis_client.xadd(FEED, {"users": f"user{number}"}, id=f"{number}-0")
    whole = asyncio.run(after_first(redis_url, redis_client, None))
    assert [whole[-1], b"".join(whole).count(b"event: changed")] == [KEEP_ALIVE, 299]
    cut = asyncio.run(after_first(redis_url, redis_client, 50))
    assert [cut[-1], b"".join(cut).count(b"event: changed")] == [RESET, 100]
