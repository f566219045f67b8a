"""The watcher: looks at all that Redis holds again and again while things break; nothing there may ever go back."""

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
    """A thread that looks at random moments; what it finds wrong is in `findings`."""

    def __init__(self, url: str, ledger: Ledger, seed: int) -> None:
        super().__init__("watcher")
        self.findings: list[Finding] = []
        self.looks = 0
        self.versions = 0
        """How many it has seen, the same ones again and again included."""
        self.again = False
        """Something may have been said again by a rebuild."""
        self._ledger = ledger
        self._random = Random(f"{seed}/watcher")
        self._client = redis.Redis.from_url(
            url, decode_responses=True, retry=Retry(NoBackoff(), 0), socket_timeout=_TIMEOUT_S
        )
        self._newest: dict[tuple[str, str], int] = {}
        """By person and field the first moment that can have said what was seen last."""
        self._emptied = 0
        """How often Redis was."""

    def begin_anew(self) -> None:
        """Hear that Redis is empty: what was seen before no longer counts, and a rebuild is to come."""
        with self._ledger.lock:
            self._newest.clear()
            self._emptied += 1
            self.again = True

    def check(self) -> bool:
        """Say whether all is well so far; raise what went wrong with watching itself."""
        self.raise_error()
        return not self.findings

    def _run(self) -> None:
        with self._client:
            while not self._stop.wait(self._random.random() * _LONGEST_PAUSE_S):
                self.look()

    def look(self) -> None:
        """Look once."""
        emptied = self._emptied
        try:
            shown = shown_of(self._client, list(self._ledger.accounts))
        except (redis.ConnectionError, redis.TimeoutError):
            return  # it is away just now
        with self._ledger.lock:
            if self._emptied != emptied:
                return
            for person, one in shown.items():
                self.findings += self._wrong_with(person, self._ledger.accounts[person], one)
        self.looks += 1

    def _wrong_with(self, person: str, account: Account, shown: Shown) -> Iterator[Finding]:
        for name, field in shown.fields.items():
            self.versions += 1
            places = places_of(account, name, field, again=self.again)
            before = self._newest.get((person, name), -1)
            if not places:
                last = account.moments[-1].event_id if account.moments else "none"
                yield Finding(Kind.WRONG, person, last, f"no event can have said {name} as {_short(field)}")
            elif places[-1] < before:
                missed = account.moments[before].event_id
                yield Finding(Kind.OLDER, person, missed, f"{name} went back to {_short(field)}")
            else:
                self._newest[person, name] = max(before, places[0])
            if places and shown.gate and account.moments[places[-1]].wiped_ms < int(shown.gate[:13]):
                yield Finding(Kind.WRONG, person, account.moments[places[-1]].event_id, f"{name} is from before a wipe")


def _short(field: Field) -> str:
    return ", ".join(f"{key} {field[key]}" for key in ("v", "value", "source", "activity", "status") if key in field)
