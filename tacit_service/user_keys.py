"""Keys of a user that the reader does not show: gate with its times, time to live of the signals, and history."""

from time import time_ns
from typing import NamedTuple

import msgspec

from tacit.contract.gates import Gate, decode_gate
from tacit.contract.history import History, decode_history
from tacit.contract.keys import active_namespace
from tacit.contract.versions import version
from tacit_service.http.problems import ProblemError
from tacit_service.service import Service

_NO_HISTORY = History(version(0, 0))


class UserKeys(NamedTuple):
    """Gate and end of the signals of a user."""

    gate: Gate | None
    """None: the gate is unreadable."""
    expires_at_ms: int | None

    @property
    def readable_gate(self) -> Gate:
        """Gate; ProblemError: it is unreadable, so that readers serve defaults."""
        if self.gate is None:
            raise ProblemError("unavailable", "The gate of the user is unreadable; see the log of the workers.")
        return self.gate


async def read_user_keys(service: Service, user: bytes) -> UserKeys:
    """Return the keys of a user.

    Raises:
        ProblemError: Redis does not answer.
    """
    keys = service.region_keys
    gate, active = await service.redis.execute([("GET", keys.gate(user)), ("GET", keys.active)])
    if isinstance(gate, Exception) or isinstance(active, Exception):
        raise redis_unavailable()
    namespace = keys.within(service.namespace or active_namespace(active))
    [ttl_ms] = await service.redis.execute([("PTTL", namespace.signals(user))])
    expires_at_ms = time_ns() // 1_000_000 + ttl_ms if isinstance(ttl_ms, int) and ttl_ms > 0 else None
    return UserKeys(_gate(gate), expires_at_ms)


def _gate(data: object) -> Gate | None:
    if data is None:
        return Gate()
    try:
        return decode_gate(data) if isinstance(data, bytes) else None
    except (ValueError, msgspec.MsgspecError):
        return None


async def read_history(service: Service, user: bytes) -> History:
    """Return the history of a user; an empty one without a readable document.

    Raises:
        ProblemError: Redis does not answer.
    """
    [data] = await service.redis.execute([("GET", service.region_keys.history(user))])
    if isinstance(data, Exception):
        raise redis_unavailable()
    try:
        return decode_history(data, service.catalogue) if isinstance(data, bytes) else _NO_HISTORY
    except ValueError:
        return _NO_HISTORY


def redis_unavailable() -> ProblemError:
    """Return the error of a read that Redis did not answer."""
    return ProblemError("unavailable", "Redis does not answer; try again.", headers={"Retry-After": "2"})
