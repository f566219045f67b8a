"""What Copilot imports: people's signals, read from Redis in one round trip; trouble with Redis is never an error.

with SignalReader("rediss://redis.internal", region="eu", secret=os.environ["TACIT_SECRET"]) as reader:
    choice = reader.get(user_id).choose(unit=conversation_id)
    system_prompt = f"{base_prompt} {choice.prompt()}"
"""

from collections.abc import Sequence
from itertools import chain
from types import TracebackType
from typing import Any, Self

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from connectors.redis_keys import RegionKeys
from state.catalogue import Catalogue
from state.errors import ConfigurationError
from state.pseudonyms import SECRET_BYTES, digest
from tacit.adaptation import Adaptation
from tacit.breaker import Breaker
from tacit.lookup import Command, Lookup, Lookups, Reply

TIMEOUT_S = 0.1
CONNECT_TIMEOUT_S = 0.2
RETRIES = 1
MAX_CONNECTIONS = 32
USERS_PER_ROUND_TRIP = 100

_TROUBLE = (redis.RedisError, OSError)
_TRIED_AGAIN = (redis.ConnectionError,)
"""A connection that a restarted server has forgotten. What has timed out once is not waited for again."""


class SignalReader:
    """Reads people's adaptations; one for many threads.

    ```
    with SignalReader("rediss://redis.internal", region="eu", secret=os.environ["TACIT_SECRET"]) as reader:
        choice = reader.get(user_id).choose(unit=conversation_id)
        system_prompt = f"{base_prompt} {choice.prompt()}"
    ```

    `get` and `get_many` never raise for trouble with Redis: they give defaults, and `Adaptation.status` says why.
    After three round trips without an answer they do not even ask, but for one caller a second (`tacit.breaker`).

    Args:
        url: `redis://`, `rediss://` (TLS, verified) or `unix://`.
        secret: the key of the pseudonyms, 16 to 64 bytes, the same as the workers'.
        catalogue: the deployment's; None: the one for Copilot that comes with the package.
        namespace: the one to read; None: the one that `active` names, which is how a cut-over reaches readers.

    Raises:
        ConfigurationError: an argument that cannot be.
    """

    def __init__(
        self,
        url: str,
        *,
        region: str,
        secret: bytes | str,
        catalogue: Catalogue | None = None,
        namespace: str | None = None,
    ) -> None:
        self._people = _People(region, secret, catalogue, namespace)
        self._breaker = Breaker()
        with_retry = _connection_settings(url) | {"retry": Retry(NoBackoff(), RETRIES, _TRIED_AGAIN)}
        self._client = redis.Redis.from_pool(redis.BlockingConnectionPool.from_url(url, **with_retry))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def get(self, user_id: str) -> Adaptation:
        """Return what is known of one person."""
        return self.get_many([user_id])[user_id]

    def get_many(self, user_ids: Sequence[str]) -> dict[str, Adaptation]:
        """Return what is known of each person, by user id; a round trip per hundred, none after one that failed."""
        found: list[list[Adaptation]] = []
        for lookup in self._people.lookups(user_ids):
            found.append(self._run(lookup, asks=not _is_down(found)))
        return dict(zip(user_ids, chain.from_iterable(found), strict=True))

    def _run(self, lookup: Lookup, *, asks: bool) -> list[Adaptation]:
        commands = next(lookup)
        while True:
            try:
                commands = lookup.send(self._exchange(commands) if asks else _no_answers(commands))
            except StopIteration as end:
                adaptations: list[Adaptation] = end.value
                return adaptations

    def _exchange(self, commands: Sequence[Command]) -> list[Reply]:
        if not self._breaker.allows():
            return _no_answers(commands)
        pipeline = self._client.pipeline(transaction=False)
        for name, key in commands:
            pipeline.hgetall(key) if name == "HGETALL" else pipeline.get(key)
        try:
            replies: list[Reply] = pipeline.execute(raise_on_error=False)
        except _TROUBLE:
            self._breaker.note(is_answered=False)
            return _no_answers(commands)
        self._breaker.note(is_answered=True)
        return replies


class AsyncSignalReader:
    """`SignalReader` for asyncio; one for all tasks of a loop."""

    def __init__(
        self,
        url: str,
        *,
        region: str,
        secret: bytes | str,
        catalogue: Catalogue | None = None,
        namespace: str | None = None,
    ) -> None:
        self._people = _People(region, secret, catalogue, namespace)
        self._breaker = Breaker()
        with_retry = _connection_settings(url) | {"retry": AsyncRetry(NoBackoff(), RETRIES, _TRIED_AGAIN)}
        self._client = redis.asyncio.Redis.from_pool(redis.asyncio.BlockingConnectionPool.from_url(url, **with_retry))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def get(self, user_id: str) -> Adaptation:
        """Return what is known of one person."""
        return (await self.get_many([user_id]))[user_id]

    async def get_many(self, user_ids: Sequence[str]) -> dict[str, Adaptation]:
        """Return what is known of each person, by user id; a round trip per hundred, none after one that failed."""
        found: list[list[Adaptation]] = []
        for lookup in self._people.lookups(user_ids):
            found.append(await self._run(lookup, asks=not _is_down(found)))
        return dict(zip(user_ids, chain.from_iterable(found), strict=True))

    async def _run(self, lookup: Lookup, *, asks: bool) -> list[Adaptation]:
        commands = next(lookup)
        while True:
            try:
                commands = lookup.send(await self._exchange(commands) if asks else _no_answers(commands))
            except StopIteration as end:
                adaptations: list[Adaptation] = end.value
                return adaptations

    async def _exchange(self, commands: Sequence[Command]) -> list[Reply]:
        if not self._breaker.allows():
            return _no_answers(commands)
        pipeline = self._client.pipeline(transaction=False)
        for name, key in commands:
            pipeline.hgetall(key) if name == "HGETALL" else pipeline.get(key)
        try:
            replies: list[Reply] = await pipeline.execute(raise_on_error=False)
        except _TROUBLE:
            self._breaker.note(is_answered=False)
            return _no_answers(commands)
        self._breaker.note(is_answered=True)
        return replies


class _People:
    """From user ids to lookups: the one place of a reader that sees both."""

    def __init__(self, region: str, secret: bytes | str, catalogue: Catalogue | None, namespace: str | None) -> None:
        self._secret = secret.encode() if isinstance(secret, str) else secret
        if len(self._secret) not in SECRET_BYTES:
            raise ConfigurationError(
                [f"secret: {len(self._secret)} bytes; {SECRET_BYTES.start} to {SECRET_BYTES.stop - 1} are allowed"]
            )
        self._lookups = Lookups(RegionKeys(region), catalogue or Catalogue.load(), namespace)

    def lookups(self, user_ids: Sequence[str]) -> list[Lookup]:
        users = [digest(user_id, self._secret) for user_id in user_ids]
        starts = range(0, len(users), USERS_PER_ROUND_TRIP)
        return [self._lookups.lookup(users[start : start + USERS_PER_ROUND_TRIP]) for start in starts]


def _is_down(found: Sequence[Sequence[Adaptation]]) -> bool:
    """Say whether the last round trip gave nothing: those after it would wait in vain as well."""
    return bool(found) and all(adaptation.status == "unavailable" for adaptation in found[-1])


def _no_answers(commands: Sequence[Command]) -> list[Reply]:
    return [redis.ConnectionError()] * len(commands)


def _connection_settings(url: str) -> dict[str, Any]:
    try:
        redis.ConnectionPool.from_url(url).make_connection()  # does not connect yet
    except (ValueError, TypeError):
        # The URL may hold a password: it is not repeated, nor is what redis-py says of it.
        raise ConfigurationError(
            ["Redis URL: it must read redis://HOST:PORT, rediss://HOST:PORT or unix:///PATH, with redis-py's options"]
        ) from None
    return {
        "protocol": 2,  # no HELLO: a user's rights need not cover it
        "socket_timeout": TIMEOUT_S,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "max_connections": MAX_CONNECTIONS,
        "timeout": TIMEOUT_S,  # for a free connection
    }
