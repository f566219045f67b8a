"""Readers of users' signals: one round trip to Redis per read, and defaults where Redis fails.

with SignalReader("rediss://redis.internal", region="eu", secret=os.environ["TACIT_SECRET"]) as reader:
    choice = reader.get(user_id).choose(unit=conversation_id)
    system_prompt = f"{base_prompt} {choice.prompt()}"
"""

from collections.abc import Sequence
from itertools import chain
from types import TracebackType
from typing import Self

from tacit.contract.catalogue import Catalogue
from tacit.contract.keys import RegionKeys
from tacit.contract.pseudonyms import SECRET_BYTES, pseudonym
from tacit.errors import ConfigurationError
from tacit.reader.adaptation import Adaptation
from tacit.reader.lookup import Lookup, Lookups, unavailable
from tacit.reader.round_trips import run, run_async
from tacit.reader.two_secrets import stricter

USERS_PER_ROUND_TRIP = 100


class SignalReader:
    """Reader of users' adaptations; threads can share one reader.

    ```
    with SignalReader("rediss://redis.internal", region="eu", secret=os.environ["TACIT_SECRET"]) as reader:
        choice = reader.get(user_id).choose(unit=conversation_id)
        system_prompt = f"{base_prompt} {choice.prompt()}"
    ```

    `get` and `get_many` never raise an error for a failing Redis: they return defaults, and `Adaptation.status` has
    the reason. After three round trips without an answer, only one call per second still sends
    (`tacit.reader.circuit_breaker`).

    Args:
        url: `redis://`, `rediss://` (TLS, verified) or `unix://`.
        region: the region of the users.
        secret: the key of the pseudonyms, 16 to 64 bytes, the same as the workers'.
        previous_secret: the secret before a rotation (`tacit state rotate-secret`): a "no" under either one holds.
        catalogue: the deployment's catalogue; None: the catalogue in this package.
        namespace: the namespace to read; None: the active one, so that readers follow `tacit promote`.

    Raises:
        ConfigurationError: an invalid argument.
    """

    def __init__(
        self,
        url: str,
        *,
        region: str,
        secret: bytes | str,
        previous_secret: bytes | str | None = None,
        catalogue: Catalogue | None = None,
        namespace: str | None = None,
    ) -> None:
        self._lookups = _UserLookups(region, secret, previous_secret, catalogue, namespace)
        from tacit.reader.transport import Transport

        self._transport = Transport(url)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def get(self, user_id: str) -> Adaptation:
        """Return the adaptation of one user."""
        [adaptation] = run(self._lookups.lookup([user_id]), self._transport.execute)
        return adaptation

    def get_many(self, user_ids: Sequence[str]) -> dict[str, Adaptation]:
        """Return the adaptation of each user, by user id; one round trip per 100 users, none after a failed one."""
        found: list[list[Adaptation]] = []
        for lookup in self._lookups.lookups(user_ids):
            found.append(run(lookup, unavailable if _is_down(found) else self._transport.execute))
        return dict(zip(user_ids, chain.from_iterable(found), strict=True))


class AsyncSignalReader:
    """`SignalReader` for asyncio; all tasks can share one reader, and each event loop has connections of its own."""

    def __init__(
        self,
        url: str,
        *,
        region: str,
        secret: bytes | str,
        previous_secret: bytes | str | None = None,
        catalogue: Catalogue | None = None,
        namespace: str | None = None,
    ) -> None:
        self._lookups = _UserLookups(region, secret, previous_secret, catalogue, namespace)
        from tacit.reader.transport import AsyncTransport

        self._transport = AsyncTransport(url)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    async def get(self, user_id: str) -> Adaptation:
        """Return the adaptation of one user."""
        [adaptation] = await run_async(self._lookups.lookup([user_id]), self._transport.execute)
        return adaptation

    async def get_many(self, user_ids: Sequence[str]) -> dict[str, Adaptation]:
        """Return the adaptation of each user, by user id; one round trip per 100 users, none after a failed one."""
        found: list[list[Adaptation]] = []
        for lookup in self._lookups.lookups(user_ids):
            if _is_down(found):
                found.append(run(lookup, unavailable))
            else:
                found.append(await run_async(lookup, self._transport.execute))
        return dict(zip(user_ids, chain.from_iterable(found), strict=True))


class _UserLookups:
    """Lookups by user id; the only part of a reader that sees user ids and pseudonyms."""

    def __init__(
        self,
        region: str,
        secret: bytes | str,
        previous_secret: bytes | str | None,
        catalogue: Catalogue | None,
        namespace: str | None,
    ) -> None:
        self._secret = _checked("secret", secret)
        self._previous = None if previous_secret is None else _checked("previous_secret", previous_secret)
        catalogue = catalogue or Catalogue.load()
        self._identity = catalogue.identity
        self._lookups = Lookups(RegionKeys(region), catalogue, namespace)

    def lookup(self, user_ids: Sequence[str]) -> Lookup:
        users = [pseudonym(user_id, self._secret, self._identity) for user_id in user_ids]
        if self._previous is None:
            return self._lookups.lookup(users)
        earlier = [pseudonym(user_id, self._previous, self._identity) for user_id in user_ids]
        return self._lookup_both(users, earlier)

    def _lookup_both(self, users: list[bytes], earlier: list[bytes]) -> Lookup:
        found = yield from self._lookups.lookup([*users, *earlier])
        return [stricter(*both) for both in zip(found[: len(users)], found[len(users) :], strict=True)]

    def lookups(self, user_ids: Sequence[str]) -> list[Lookup]:
        starts = range(0, len(user_ids), USERS_PER_ROUND_TRIP)
        return [self.lookup(user_ids[start : start + USERS_PER_ROUND_TRIP]) for start in starts]


def _checked(name: str, secret: bytes | str) -> bytes:
    key = secret.encode() if isinstance(secret, str) else secret
    if len(key) not in SECRET_BYTES:
        raise ConfigurationError(
            [f"{name}: {len(key)} bytes; {SECRET_BYTES.start} to {SECRET_BYTES.stop - 1} are allowed"]
        )
    return key


def _is_down(found: Sequence[Sequence[Adaptation]]) -> bool:
    """Return whether the last round trip failed; further ones would fail, too."""
    return bool(found) and all(adaptation.status == "unavailable" for adaptation in found[-1])
