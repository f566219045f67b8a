"""Settings that all hosts of a cluster must share, as each host shows them to the others."""

from collections.abc import Mapping
from hashlib import blake2b
from importlib.metadata import version

import msgspec

from dataflows.hosts.members import Member
from dataflows.job import Job
from dataflows.result_settings import result_settings
from state.errors import HostError

_SHARED = ("checkpoint_every", "erase_within", "lateness", "ttl", "tombstones", "start", "on_gap", "group")
"""Settings that all hosts must share: with another interval of one host, the checkpoints of all fall behind."""


def setup_of(job: Job) -> dict[str, str]:
    """Return the settings that all hosts of a cluster must share; of a bounded run also those that decide about it."""
    settings = job.settings
    of_replay = {**result_settings(settings), **job.selection.options(), "again": str(job.again)} if job.bounded else {}
    catalogue = blake2b(settings.catalogue.read_bytes(), digest_size=8).hexdigest()
    return {
        "hosts": settings.hosts or "",
        "processes": str(settings.processes),
        "source": str(job.source),
        "catalogue": catalogue,
        "population": settings.population,
        "checkpoints": settings.checkpoints or "none",
        "version": version("tacit-worker"),
        **{name: str(getattr(settings, name)) for name in _SHARED},
        **{name: str(value) for name, value in msgspec.structs.asdict(job.identity).items()},
        **of_replay,
    }


def require_same_setup(members: Mapping[int, Member]) -> None:
    """Compare the settings of all hosts with those of host 0.

    Raises:
        HostError: one has another setting.
    """
    first = members[0].setup
    for number, member in members.items():
        for name, value in member.setup.items():
            if first.get(name) != value:
                raise HostError(
                    f"host {number} has {name} {value}, and host 0 has {first.get(name)}: give all the same"
                )
