"""Members of a cluster and its plan, as every host reads them in Redis.

tacit:v1:REGION:{NAMESPACE}:hosts          HASH: a number of a host → member, `plan` → plan
tacit:v1:REGION:{NAMESPACE}:replay:hosts   the same of a replay, which may run next to a live run

Each host writes its member twice a second, and compares those of others with what it saw before, by its own clock: so
the clocks of hosts are never compared.
"""

from collections.abc import Mapping
from typing import Literal, TypeVar, cast

import msgspec

from connectors.redis.client import RedisClient
from tacit.contract.keys import RegionKeys
from tacit.contract.lifetimes import DAY_MS

_PLAN = "plan"
_Kind = TypeVar("_Kind", bound=msgspec.Struct)

Phase = Literal["starting", "waiting", "running", "stopping", "ended"]
"""Begins, or has a plan; waits for the other hosts; has its processes; ends them after a checkpoint; has read to the
end of a bounded run."""


class Member(msgspec.Struct, frozen=True):
    """A host, as it describes itself."""

    run: str
    """Name of the command, made at its start."""
    round: int
    """Number of times that the command has waited for the cluster."""
    phase: Phase
    name: str
    """Name of the machine, for operators."""
    setup: dict[str, str]
    """Settings that all hosts must share."""
    has_users: bool
    line: str
    """Line of the host's state: hosts of one line resumed together every time; empty for none."""
    beat: int = 0
    restored: tuple[int, list[int]] = (0, [])
    """Number of a loss of data in Redis, and the shards that are written again after it."""
    caught_up: tuple[int, list[str]] = (0, [])
    """Number of the topic's partitions, and those that are read up to the end that the start found."""
    counters: bytes = b""
    """Counters of a bounded run since its last start (dataflows/hosts/packed_counters.py)."""

    @property
    def ticket(self) -> str:
        """Text that names this round of this command."""
        return f"{self.run}/{self.round}"


class Plan(msgspec.Struct, frozen=True):
    """Decision of the first host on the next common start."""

    members: list[str]
    """Ticket of each host, by number."""
    line: str
    state: str
    """Id of the state."""
    is_new: bool
    """True for a state that begins."""
    holder: str
    """Holder of the namespace, as JSON in text."""
    taken_ms: int
    """Time at which the cluster took the namespace, by the clock of Redis."""
    fence: int
    """Fencing number in object storage; 0 without any."""
    cut: str
    """Key of the cut that all hosts fetch; empty: they resume from their folders, or begin."""
    number: int
    """Number of the newest cut; 0 for none."""
    begun_from: str
    """Savepoint from which the state began; empty for none."""
    loss: int = 0
    """Number of the loss of data after which Redis is not whole yet, as `Loss` has it."""
    ranges: Mapping[str, Mapping[int, tuple[int, int]]] = {}
    """Offsets to read of each topic of a bounded run, as `Job` has them."""
    resumes: bool = False
    """True for a bounded run that resumes."""
    result: bytes = b""
    """Counters of all hosts, once a bounded run has ended on all of them; empty before."""

    @property
    def start(self) -> str:
        """Name of the common start, which no other plan has."""
        return self.members[0].replace("/", "-")


class MemberStore:
    """Members and plan of one namespace's live run, or replay. All methods raise SinkError as `RedisClient.deliver`."""

    def __init__(self, client: RedisClient, region: str, namespace: str, *, of_replay: bool = False) -> None:
        keys = RegionKeys(region).within(namespace)
        self._client = client
        self._key = keys.replay_hosts if of_replay else keys.hosts
        self._ends = of_replay
        """The key ends a day after its last change."""

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def write(self, host: int, member: Member, plan: Plan | None) -> None:
        """Write this host's member, and the plan if it is given."""
        fields: list[str | bytes] = [str(host), msgspec.json.encode(member)]
        if plan is not None:
            fields += [_PLAN, msgspec.json.encode(plan)]
        self._client.execute(("HSET", self._key, *fields))
        if self._ends:
            self._client.execute(("PEXPIRE", self._key, DAY_MS))

    def read(self) -> tuple[Mapping[int, Member], Plan | None]:
        """Return all members and the plan."""
        reply = cast("list[bytes]", self._client.execute(("HGETALL", self._key)))
        found = dict(zip(reply[::2], reply[1::2], strict=True))
        stored = found.pop(_PLAN.encode(), None)
        members = {int(number): _decoded(data, Member) for number, data in found.items() if number.isdigit()}
        return {number: one for number, one in members.items() if one}, _decoded(stored, Plan) if stored else None

    def leave(self, host: int) -> None:
        """Delete this host's member."""
        self._client.execute(("HDEL", self._key, str(host)))


def _decoded(data: bytes, kind: type[_Kind]) -> _Kind | None:
    """Return a value; None for that of another version."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
