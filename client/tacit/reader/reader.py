"""What Copilot imports: people's signals, read from Redis in one round trip; trouble with Redis is never an error.

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
from tacit.reader.dialogue import hold, hold_async
from tacit.reader.lookup import Lookup, Lookups, without_asking

USERS_PER_ROUND_TRIP = 100


class SignalReader:
    """Reads people's adaptations; one for many threads.

    ```
    with SignalReader("rediss://redis.internal", region="eu", secret=os.environ["TACIT_SECRET"]) as reader:
        choice = reader.get(user_id).choose(unit=conversation_id)
        system_prompt = f"{base_prompt} {choice.prompt()}"
    ```

    `get` and `get_many` never raise for trouble with Redis: they give defaults, and `Adaptation.status` says why.
    After three round trips without an answer they do not even ask, but for one caller a second (`tacit.reader.circuit_breaker`).

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
        """Return what is known of one person."""
        [adaptation] = hold(self._people.lookup([user_id]), self._transport.ask)
        return adaptation

    def get_many(self, user_ids: Sequence[str]) -> dict[str, Adaptation]:
        """Return what is known of each person, by user id; a round trip per hundred, none after one that failed."""
        found: list[list[Adaptation]] = []
        for lookup in self._people.lookups(user_ids):
            found.append(hold(lookup, without_asking if _is_down(found) else self._transport.ask))
        return dict(zip(user_ids, chain.from_iterable(found), strict=True))


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
        """Return what is known of one person."""
        [adaptation] = await hold_async(self._people.lookup([user_id]), self._transport.ask)
        return adaptation

    async def get_many(self, user_ids: Sequence[str]) -> dict[str, Adaptation]:
        """Return what is known of each person, by user id; a round trip per hundred, none after one that failed."""
        found: list[list[Adaptation]] = []
        for lookup in self._people.lookups(user_ids):
            if _is_down(found):
                found.append(hold(lookup, without_asking))
            else:
                found.append(await hold_async(lookup, self._transport.ask))
        return dict(zip(user_ids, chain.from_iterable(found), strict=True))


class _People:
    """From user ids to lookups: the one place of a reader that sees both."""

    def __init__(self, region: str, secret: bytes | str, catalogue: Catalogue | None, namespace: str | None) -> None:
        self._secret = secret.encode() if isinstance(secret, str) else secret
        if len(self._secret) not in SECRET_BYTES:
            raise ConfigurationError(
                [f"secret: {len(self._secret)} bytes; {SECRET_BYTES.start} to {SECRET_BYTES.stop - 1} are allowed"]
            )
        self._lookups = Lookups(RegionKeys(region), catalogue or Catalogue.load(), namespace)

    def lookup(self, user_ids: Sequence[str]) -> Lookup:
        return self._lookups.lookup([pseudonym(user_id, self._secret) for user_id in user_ids])

    def lookups(self, user_ids: Sequence[str]) -> list[Lookup]:
        starts = range(0, len(user_ids), USERS_PER_ROUND_TRIP)
        return [self.lookup(user_ids[start : start + USERS_PER_ROUND_TRIP]) for start in starts]


def _is_down(found: Sequence[Sequence[Adaptation]]) -> bool:
    """Say whether the last round trip gave nothing: those after it would wait in vain as well."""
    return bool(found) and all(adaptation.status == "unavailable" for adaptation in found[-1])
