"""Bytes of wiped users: every learned state in every file is younger than the user's last wipe."""

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from connectors.redis.client import RedisClient
from connectors.traces import Trace, find_traces
from connectors.traces.needles import SHARED_BYTES, pseudonym_needles
from connectors.traces.redis_keys import find_redis_traces
from state.catalogue.numbered import NumberedCatalogue
from state.row.layout import layout_of, sizes_of
from state.storage.table_entry import LEARNED, PINS
from tests.chaos.account import Account, Moment
from tests.chaos.findings import Finding, Kind

_TRAILER_BYTES = 8
_WIPED_AT, _ = layout_of(sizes_of(NumberedCatalogue.load())).offsets["wiped_ms"]
"""Place of the time of the last wipe in a row."""
_TIME = struct.Struct("<q")


def bytes_from_before_wipes(state: Path, accounts: Mapping[str, Account]) -> Iterator[Finding]:
    """Yield a finding for each entry of a table with learned parts or pins from before the user's last wipe."""
    for user, account in accounts.items():
        if account.moments and (now := account.moments[-1]).wiped_ms:
            for trace in find_traces(state / "shards", pseudonym_needles(bytes.fromhex(user[3:]))):
                if trace.kind in {LEARNED, PINS} and _is_old(trace, now):
                    yield Finding(Kind.WRONG, user, now.event_id, f"{trace.place} has {trace.kind} bytes from before")


def _is_old(trace: Trace, now: Moment) -> bool:
    with Path(trace.place).open("rb") as file:
        file.seek(trace.offset + 16 - SHARED_BYTES + _TRAILER_BYTES + _WIPED_AT)
        (wiped_ms,) = _TIME.unpack(file.read(_TIME.size))
    return int(wiped_ms) < now.wiped_ms


def keys_of_wiped_users(client: RedisClient, accounts: Mapping[str, Account]) -> Iterator[Finding]:
    """Yield a finding for each key in Redis of a user without an interaction since the last wipe, but for controls."""
    for user, account in accounts.items():
        if not account.moments or not account.moments[-1].wiped_ms:
            continue
        now = account.moments[-1]
        if all(moment.is_control for moment in account.moments[len(account.moments) - now.seq :]):
            for trace in find_redis_traces(client, "eu", pseudonym_needles(bytes.fromhex(user[3:]))):
                if not trace.place.endswith((":gate", ":history", ":changes")) and now.consent != "denied":
                    yield Finding(Kind.WRONG, user, now.event_id, f"{trace.place} is in Redis")
