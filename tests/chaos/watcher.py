"""Watcher: reads all of Redis repeatedly during the faults; versions must never decrease."""

from collections.abc import Iterator
from random import Random

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.chaos.account import Account
from tests.chaos.background import Background
from tests.chaos.findings import Finding, Kind
from tests.chaos.ledger import Ledger
from tests.chaos.redis_contents import Field, Shown, places_of, shown_of

_LONGEST_PAUSE_S = 0.8
_TIMEOUT_S = 1.0


class Watcher(Background):
    """Thread that reads Redis at random moments; errors are in `findings`."""

    def __init__(self, url: str, ledger: Ledger, seed: int) -> None:
        super().__init__("watcher")
        self.findings: list[Finding] = []
        self.looks = 0
        self.versions = 0
        """Number of versions read, repeated ones included."""
        self.again = False
        """True if a rebuild may have emitted signals again."""
        self._ledger = ledger
        self._random = Random(f"{seed}/watcher")
        self._client = redis.Redis.from_url(
            url, decode_responses=True, retry=Retry(NoBackoff(), 0), socket_timeout=_TIMEOUT_S
        )
        self._newest: dict[tuple[str, str], int] = {}
        """First moment that can have emitted the last read value, by user and field."""
        self._emptied = 0
        """Number of times that Redis was emptied."""

    def forget_versions(self) -> None:
        """Forget all read versions: Redis is empty, and a rebuild follows."""
        with self._ledger.lock:
            self._newest.clear()
            self._emptied += 1
            self.again = True

    def check(self) -> bool:
        """Return True without findings so far; raise the error that ended the thread, if any."""
        self.raise_error()
        return not self.findings

    def _run(self) -> None:
        with self._client:
            while not self._stop.wait(self._random.random() * _LONGEST_PAUSE_S):
                self.look()

    def look(self) -> None:
        """Read Redis once and compare with the ledger."""
        emptied = self._emptied
        try:
            shown = shown_of(self._client, list(self._ledger.accounts))
        except (redis.ConnectionError, redis.TimeoutError):
            return  # Redis does not answer at the moment
        with self._ledger.lock:
            if self._emptied != emptied:
                return
            for user, one in shown.items():
                self.findings += self._wrong_with(user, self._ledger.accounts[user], one)
        self.looks += 1

    def _wrong_with(self, user: str, account: Account, shown: Shown) -> Iterator[Finding]:
        for name, field in shown.fields.items():
            self.versions += 1
            places = places_of(account, name, field, again=self.again)
            before = self._newest.get((user, name), -1)
            if not places:
                last = account.moments[-1].event_id if account.moments else "none"
                yield Finding(Kind.WRONG, user, last, f"no event can have emitted {name} as {_short(field)}")
            elif places[-1] < before:
                missed = account.moments[before].event_id
                yield Finding(Kind.OLDER, user, missed, f"{name} went back to {_short(field)}")
            else:
                self._newest[user, name] = max(before, places[0])
            if places and shown.gate and account.moments[places[-1]].wiped_ms < int(shown.gate[:13]):
                yield Finding(Kind.WRONG, user, account.moments[places[-1]].event_id, f"{name} is from before a wipe")


def _short(field: Field) -> str:
    return ", ".join(f"{key} {field[key]}" for key in ("v", "value", "source", "activity", "status") if key in field)
