"""Real Redis Cluster: three primaries that share the hash slots, and a replica of the first primary."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from tacit_lab.embedded import EmbeddedRedis
from tests.support.commands import everything_in
from tests.support.conditions import eventually
from tests.support.ports import free_cluster_port

PRIMARIES = 3


@dataclass(frozen=True)
class Server:
    """One server with its own client."""

    port: int
    process: EmbeddedRedis
    client: redis.Redis

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def id(self) -> str:
        return str(self.client.execute_command("CLUSTER", "MYID"))


@dataclass(frozen=True)
class Cluster:
    """Primaries in the order of their hash slots, then the replica of the first primary."""

    servers: Sequence[Server]

    @property
    def url(self) -> str:
        return self.servers[0].url

    @property
    def primaries(self) -> list[Server]:
        """Servers that hold hash slots now."""
        return [server for server in self.servers if server.client.role()[0] == "master"]

    def holder(self, key: str) -> Server:
        """Return the server of a key's hash slot, by the map of the second server."""
        for held in _slots(self.servers[1]):
            if held[0] <= key_slot(key.encode()) <= held[1]:
                return next(server for server in self.servers if server.port == held[2][1])
        raise LookupError(key)

    def everything(self) -> dict[str, Any]:
        """Return the content of all keys, byte for byte."""
        return {key: held for server in self.primaries for key, held in everything_in(server.client).items()}

    def empty(self) -> None:
        """Delete all keys."""
        for server in self.primaries:
            server.client.flushall()

    def fail_over(self) -> None:
        """Promote the replica in place of the first primary."""
        replica = self.servers[-1]
        replica.client.execute_command("CLUSTER", "FAILOVER")
        eventually(lambda: replica.client.role()[0] == "master", within_s=20, what="the replica's promotion")

    def begin_moving(self, slot: int, source: Server, target: Server) -> None:
        """Start a migration of a hash slot, in which single keys move."""
        target.client.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.client.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)

    def move_keys(self, slot: int, source: Server, target: Server) -> None:
        """Move all keys of a hash slot."""
        if keys := source.client.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 1000):
            source.client.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)

    def end_moving(self, slot: int, source: Server, target: Server) -> None:
        """End the migration on all servers, which then redirect with MOVED."""
        self.move_keys(slot, source, target)
        for server in (target, *self.primaries):
            server.client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", target.id)


@contextmanager
def cluster(binary: Path, options: Sequence[str] = ()) -> Iterator[Cluster]:
    """Yield a running cluster that covers all hash slots."""
    with ExitStack() as stack:
        servers = []
        for _ in range(PRIMARIES + 1):
            port = free_cluster_port()
            listen = ("--port", str(port), "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0")
            process = stack.enter_context(EmbeddedRedis(binary, (*listen, "--cluster-enabled", "yes", *options)))
            client = stack.enter_context(redis.Redis(port=port, protocol=2, decode_responses=True))
            servers.append(Server(port, process, client))
        made = Cluster(servers)
        _join(servers)
        yield made


def _slots(server: Server) -> list[Any]:
    with redis.Redis(port=server.port, protocol=2, decode_responses=True) as client:
        client.response_callbacks.clear()
        found: list[Any] = client.execute_command("CLUSTER SLOTS")
        return found


def _join(servers: Sequence[Server]) -> None:
    first, *others = servers
    *primaries, replica = servers
    share = -(-REDIS_CLUSTER_HASH_SLOTS // len(primaries))
    for place, server in enumerate(primaries):
        slots = range(place * share, min((place + 1) * share, REDIS_CLUSTER_HASH_SLOTS))
        server.client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", place + 1)
        server.client.execute_command("CLUSTER", "ADDSLOTS", *slots)
    for server in others:
        server.client.execute_command("CLUSTER", "MEET", "127.0.0.1", first.port)
    eventually(lambda: all(len(_known(server)) == len(servers) for server in servers), within_s=30, what="all to meet")
    replica.client.execute_command("CLUSTER", "REPLICATE", first.id)
    eventually(lambda: all(_sees(server, replica) for server in servers), within_s=30, what="the cluster")
    eventually(lambda: replica.client.info("replication")["master_link_status"] == "up", within_s=30, what="its copy")


def _known(server: Server) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = server.client.execute_command("CLUSTER NODES")
    return found


def _sees(server: Server, replica: Server) -> bool:
    """Return whether a server knows the replica as a replica, and all hash slots as covered."""
    is_ok = server.client.execute_command("CLUSTER INFO")["cluster_state"] == "ok"
    return is_ok and "slave" in _known(server)[f"127.0.0.1:{replica.port}"]["flags"]
