"""Settings of a run on several hosts."""

import re
import socket
from dataclasses import dataclass
from typing import Annotated

from dataflows.setting import Setting

HOSTS = "Hosts"
_ADDRESS = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9a-fA-F:]+\]):(\d{1,5})")
_ORDINAL = re.compile(r"-(\d+)$")


def _hosts_problem(text: str) -> str | None:
    found = [_ADDRESS.fullmatch(address) for address in text.split(",")]
    if not all(found) or any(not 0 < int(one[1]) < 65_536 for one in found if one):
        return "must be HOST:PORT of each host, with commas between them and ports from 1 to 65535"
    return None if len(set(text.split(","))) == len(found) else "has an address twice; give each host once"


def _host_problem(text: str) -> str | None:
    return None if text == "auto" or (text.isascii() and text.isdecimal()) else "must be a number from 0 on, or auto"


@dataclass(frozen=True, kw_only=True)
class HostSettings:
    """Settings of the cluster."""

    hosts: Annotated[
        str | None,
        Setting(
            HOSTS,
            "HOST:PORT,…",
            "Address of each host for the exchange; further processes of a host use the next ports.",
            "one host, without an exchange",
            check=_hosts_problem,
        ),
    ] = None
    host: Annotated[
        str,
        Setting(
            HOSTS,
            "N|auto",
            "Number of this host, from 0 on; auto: the number at the end of its name.",
            check=_host_problem,
        ),
    ] = "auto"
    hosts_within: Annotated[
        float | None,
        Setting(
            HOSTS, "SECONDS|none", "Time for which a host waits for the others; none: no limit.", least=1, none="none"
        ),
    ] = 300

    @property
    def host_addresses(self) -> tuple[str, ...]:
        """HOST:PORT of each host; empty for a run on one host."""
        return tuple(self.hosts.split(",")) if self.hosts else ()

    @property
    def host_number(self) -> int | None:
        """Number of this host; None for `auto` on a machine without a number at the end of its name."""
        if self.host != "auto":
            return int(self.host)
        found = _ORDINAL.search(socket.gethostname().partition(".")[0])
        return int(found[1]) if found else None


def process_addresses(hosts: tuple[str, ...], processes: int) -> tuple[str, ...]:
    """Return the address of each process of a cluster, by host.

    >>> process_addresses(("a:2101", "b:2101"), 2)
    ('a:2101', 'a:2102', 'b:2101', 'b:2102')
    """
    found = [address.rpartition(":") for address in hosts]
    return tuple(f"{host}:{int(port) + number}" for host, _, port in found for number in range(processes))


def host_problems(settings: HostSettings, *, processes: int, keeps_state: bool, is_embedded: bool) -> list[str]:
    """Return a problem per setting of the hosts that does not fit the others."""
    addresses = settings.host_addresses
    if not addresses:
        return []
    problems = []
    if settings.host_number is None:
        problems.append("host: auto needs a machine whose name ends with - and a number; give the number of this host")
    elif settings.host_number >= len(addresses):
        problems.append(f"host: {settings.host_number} is not one of {len(addresses)} hosts, which count from 0")
    if is_embedded:
        problems.append("hosts: find each other in one Redis, and --embedded starts one per host; use --redis")
    if not keeps_state:
        problems.append("hosts: needs a state folder on each host; add --state DIR")
    found = process_addresses(addresses, processes)
    if any(int(address.rpartition(":")[2]) > 65_535 for address in found):
        problems.append(f"hosts: {processes} processes of each host need ports up to 65535; name a lower port")
    if len(set(found)) < len(addresses) * processes:
        problems.append("hosts: the ports of two hosts on one machine overlap, as each process takes the next port")
    return problems
