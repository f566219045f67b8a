"""Readers over keys in memory: only the network is left out, so a test sees real adaptations."""

from collections.abc import Sequence

from tacit.contract.activity import Activity
from tacit.contract.catalogue import Catalogue
from tacit.contract.gates import ConsentState
from tacit.contract.signals import Profile, Session, Signal, Source, Tier
from tacit.contract.versions import version
from tacit.reader.adaptation import Status
from tacit.reader.reader import AsyncSignalReader, SignalReader
from tacit.reader.round_trips import Command, Reply
from tacit.reader.transport import AsyncTransport, Transport
from tacit.sender.identity import now_ms
from tacit.testing.memory import REGION, SECRET, Memory

_CONFIDENCE: dict[Tier, float] = {"apply": 0.95, "hint": 0.7, "default": 0.55}


class FakeSignalReader(SignalReader):
    """`SignalReader` of users that a test describes; all reads go through the code of the real reader.

    >>> reader = FakeSignalReader()
    >>> reader.set("ada", length="concise")
    >>> reader.get("ada").choose(unit="conversation-1").prompt()
    'Keep answers short.'
    >>> reader.is_down = True
    >>> reader.get("ada").status
    'unavailable'

    Args:
        catalogue: the deployment's catalogue; None: the catalogue in this package.
    """

    def __init__(self, catalogue: Catalogue | None = None) -> None:
        catalogue = catalogue or Catalogue.load()
        super().__init__("redis://", region=REGION, secret=SECRET, catalogue=catalogue)
        self.memory = Memory(catalogue)
        self._transport = _MemoryTransport(self.memory)

    @property
    def is_down(self) -> bool:
        """True: Redis does not answer, and reads have the status `unavailable`."""
        return self.memory.is_down

    @is_down.setter
    def is_down(self, is_down: bool) -> None:
        self.memory.is_down = is_down

    def set(self, user_id: str, **values: str) -> None:
        """Give a user a learned signal of the tier `apply` per facet; ConfigurationError outside the catalogue."""
        for facet, value in values.items():
            self.set_signal(user_id, facet, value)

    def set_signal(
        self,
        user_id: str,
        facet: str,
        value: str,
        *,
        tier: Tier = "apply",
        runner_up: str | None = None,
        gap: float | None = None,
        explore: float = 0.0,
    ) -> None:
        """Give a user a learned signal.

        Args:
            user_id: the user.
            facet: facet of the catalogue.
            value: the preferred value.
            tier: permitted use of the value.
            runner_up: the second best value.
            gap: difference of the chances of a like of both, −1 to 1.
            explore: share of conversations that try another value, if the user's consent permits.
        """
        self.memory.put_signal(
            user_id, facet, self._signal(facet, value, tier, "learned", runner_up=runner_up, gap=gap, explore=explore)
        )

    def set_default(self, facet: str, value: str) -> None:
        """Give users without an own signal of the facet another default, as the population model does."""
        self.memory.put_default(facet, self._signal(facet, value, "default", "population", default=value))

    def set_profile(self, user_id: str, **topics: float) -> None:
        """Give a user who was active just now a profile with the shares of main topics."""
        at_ms = now_ms()
        ranked = tuple(sorted(topics.items(), key=lambda topic: -topic[1]))
        self.memory.put_profile(
            user_id,
            Profile(version(at_ms, 1), Activity(1, 1, 1), ranked, Session(at_ms, 1, 0.0), (0.0,) * 24, at_ms),
        )

    def pin(self, user_id: str, facet: str, value: str | None) -> None:
        """Give a user an own setting of a facet; None: a setting that was removed."""
        self.memory.pin(user_id, facet, value)

    def consent(
        self,
        user_id: str,
        *,
        learn: ConsentState = "granted",
        use: ConsentState = "granted",
        explore: ConsentState = "granted",
    ) -> None:
        """Give a user consent, by scope."""
        self.memory.consent(user_id, {"learn": learn, "use": use, "explore": explore})

    def set_status(self, user_id: str, status: Status) -> None:
        """Make the reads of a user have this status; `fresh` and `aged` need a signal, which `set` gives."""
        self.memory.set_status(user_id, status)

    def _signal(
        self,
        facet: str,
        value: str,
        tier: Tier,
        source: Source,
        *,
        default: str | None = None,
        runner_up: str | None = None,
        gap: float | None = None,
        explore: float = 0.0,
    ) -> Signal:
        catalogue, at_ms = self.memory.catalogue, now_ms()
        known = catalogue.facets.get(facet)
        return Signal(
            v=version(at_ms, 1),
            value=value,
            p=0.9,
            confidence=_CONFIDENCE[tier],
            tier=tier,
            source=source,
            evidence=10.0,
            runner_up=runner_up,
            gap=gap,
            default=default or (known.default if known else None),
            explore=explore,
            why=(),
            by=f"m1.c{catalogue.version}.p1",
            at=at_ms,
        )


class FakeAsyncSignalReader(AsyncSignalReader):
    """`AsyncSignalReader` of the users of a `FakeSignalReader`."""

    def __init__(self, users: FakeSignalReader) -> None:
        super().__init__("redis://", region=REGION, secret=SECRET, catalogue=users.memory.catalogue)
        self._transport = _AsyncMemoryTransport(users.memory)


class _MemoryTransport(Transport):
    def __init__(self, memory: Memory) -> None:
        super().__init__("redis://")  # never used
        self._memory = memory

    def execute(self, commands: Sequence[Command]) -> list[Reply]:
        return self._memory.execute(commands)


class _AsyncMemoryTransport(AsyncTransport):
    def __init__(self, memory: Memory) -> None:
        super().__init__("redis://")  # never used
        self._memory = memory

    async def execute(self, commands: Sequence[Command]) -> list[Reply]:
        return self._memory.execute(commands)
