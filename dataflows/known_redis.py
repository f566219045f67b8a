"""Memory of the Redis that a state folder's signals are in: another one, or an older one, may lack them.

A run notes the Redis when it holds the namespace, and after each restoration. So a loss that no run saw shows at the
next start, and a run that ended in the middle of a restoration begins it again.
"""

from pathlib import Path

import msgspec
import structlog

from connectors.redis.ownership import Owner
from state.durable import read_document, write_document
from state.errors import StateError

KNOWN_REDIS = "redis.json"

_log = structlog.get_logger(__name__)


class KnownRedis(msgspec.Struct, frozen=True):
    """Redis with all signals of a state folder."""

    instances: tuple[str, ...]
    """Run ids of its servers."""
    taken_ms: int = 0
    """Time of the last take of the namespace; 0 before the first one."""


def note_redis(folder: Path, instances: frozenset[str], taken_ms: int) -> None:
    """Store the Redis; a disk that takes no file leaves the one before, so that the next start restores the signals."""
    try:
        write_document(folder / KNOWN_REDIS, KnownRedis(tuple(sorted(instances)), taken_ms))
    except OSError as error:
        _log.warning("redis.not_noted", error=str(error))


def missing_signals(
    folder: Path, folder_id: str, owner: Owner, instances: frozenset[str], *, is_registered: bool
) -> str:
    """Return the reason for which Redis may lack signals of a state folder with users; empty for none.

    A folder without a memory is of an older version. It cannot show that Redis still has each "no", so it counts as
    one whose signals are missing.

    Args:
        folder: the state folder.
        folder_id: its id.
        owner: stored owner of the namespace.
        instances: run ids of the servers.
        is_registered: True if a writer has used the namespace.
    """
    if not is_registered or owner.state != folder_id:
        return "Redis has no namespace with this state folder"
    try:
        known = read_document(folder / KNOWN_REDIS, KnownRedis, "the run writes it again")
    except StateError as error:
        return str(error)
    if known is None:
        return "the state folder does not name its Redis"
    if not instances <= frozenset(known.instances):
        return "Redis has started since, or another server took over"
    return "Redis has data of before the last run" if owner.taken_ms < known.taken_ms else ""
