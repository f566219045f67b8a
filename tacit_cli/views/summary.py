"""Summaries of a replay and of a rebuild."""

import redis
from rich.table import Table
from rich.text import Text

from dataflows.rebuild import Rebuilt
from dataflows.rotation.rotate import Rotated
from dataflows.runtime.replay import Replayed, by_facet
from dataflows.settings import Settings
from state.counters import Outcome
from tacit.contract.keys import RegionKeys


def users_with_signals(settings: Settings) -> int | None:
    """Return the number of users with signals in the embedded Redis; None for another Redis, which may be large."""
    if not settings.embedded:
        return None
    pattern = RegionKeys(settings.region).within(settings.namespace).signals_pattern
    with redis.Redis.from_url(settings.redis) as client:
        return sum(1 for _ in client.scan_iter(match=pattern, count=1000))


def replay_table(
    done: Replayed, users: int | None, settings: Settings, *, rejects_stay: bool = True, is_dry: bool = False
) -> Table:
    """Return the counts of a replay as a table; each record is in exactly one line of the first part."""
    counters, events = done.counters, done.counters.events
    read = counters.source.records
    table = _table()
    table.add_row(Text("events read", "bold"), Text(f"{read:,}", "bold"), _share(done))
    for reason, count in counters.source.gaps.items():
        table.add_row(
            Text(f"  lost by the topic: {reason}", "bold red"), f"{count:,}", "before or after they were read"
        )
    if held_back := counters.source.held_back:
        table.add_row("  held back", f"{held_back:,}", "an unfinished last line, or behind an open transaction")
    rejected = sum(events.rejects.values())
    for outcome, count in events.outcomes.items():
        if count or outcome is not Outcome.SKIPPED:
            table.add_row(f"  {outcome}", f"{count:,}", "")
    table.add_row(
        "  rejected", f"{rejected:,}", f"in {settings.rejects}" if rejected and rejects_stay and not is_dry else ""
    )
    for reason, count in events.rejects.items():
        if count:
            table.add_row(f"    {reason}", f"{count:,}", "")
    if lost := sum(events.control_rejects.values()):
        table.add_row(
            Text("  control events rejected", "bold red"),
            f"{lost:,}",
            "" if is_dry else f"look into {settings.control_rejects_to}",
        )
        for reason, count in events.control_rejects.items():
            if count:
                table.add_row(f"    {reason}", f"{count:,}", "")
    if repaired := sum(events.repaired.values()):
        table.add_row("broken members of control events", f"{repaired:,}", "what is unclear counts as a no")
    table.add_row("users with state", f"{events.users:,}", "")
    if users is not None:
        table.add_row("users with signals", f"{users:,}", f"namespace {settings.namespace}")
    table.add_row(
        f"signal fields {'to write' if is_dry else 'written'}", f"{counters.sink.applied:,}", _unwritten(done)
    )
    for facet, tiers in by_facet(counters.foreseen.signals).items():
        shares = ", ".join(f"{count:,} {tier}" for tier, count in tiers.items() if count)
        table.add_row(f"  {facet}", f"{sum(tiers.values()):,}", shares)
    if learned := counters.learning.examples:
        table.add_row("feedback trained on", f"{learned:,}", f"population version {counters.learning.version}")
    if limited := counters.learning.limited:
        table.add_row("feedback above a user's limits", f"{limited:,}", "not trained on by the population")
    table.add_row("wipes and consent", f"{counters.sink.gates:,}", "")
    table.add_row("time", f"{done.wall_s:.1f} s", f"{read / done.wall_s:,.0f} events/s")
    table.add_row("CPU", f"{counters.cpu_s / max(1, read) * 1e6:.0f} µs/event", "without Redis")
    return table


def rebuilt_table(done: Rebuilt) -> Table:
    """Return the counts of a rebuild as a table."""
    sink, table = done.sink, _table()
    table.add_row(Text("users", "bold"), Text(f"{done.users:,}", "bold"), f"namespace {done.namespace}")
    table.add_row("wipes and consent", f"{sink.gates:,}", "")
    table.add_row("signal fields written", f"{sink.applied:,}", "")
    table.add_row("  there already", f"{sink.stale:,}", "as new or newer")
    table.add_row("  expired", f"{done.expired:,}", "")
    if sink.gated:
        table.add_row("  gated", f"{sink.gated:,}", "the user opted out or was wiped since")
    if sink.unwritable:
        table.add_row("  unwritable", f"{sink.unwritable:,}", "a wrong clock, or a key of another program")
    table.add_row("time", f"{done.wall_s:.1f} s", "")
    return table


def rotated_table(done: Rotated) -> Table:
    """Return the counts of a rotation as a table."""
    moved, table = done.redis, _table()
    table.add_row(Text("users moved", "bold"), Text(f"{done.moved:,}", "bold"), "in the state folder")
    table.add_row("  deleted", f"{done.dropped:,}", "their ids are not known")
    table.add_row("  kept", f"{done.kept:,}", 'under the old pseudonym: a "no", a pin or a wipe')
    table.add_row("gates moved", f"{moved.gates:,}", "in Redis")
    table.add_row("  deleted", f"{moved.gates_deleted:,}", "their ids are not known")
    table.add_row("  kept", f"{moved.gates_kept:,}", 'under the old pseudonym: a "no", a pin or a wipe')
    table.add_row("histories moved", f"{moved.histories:,}", "in Redis")
    table.add_row("  deleted", f"{moved.histories_deleted:,}", "their ids are not known")
    table.add_row("users with signals moved", f"{moved.signals:,}", "counted in each namespace")
    table.add_row("  deleted", f"{moved.signals_deleted:,}", "their ids are not known")
    return table


def _table() -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim")
    return table


def _share(done: Replayed) -> str:
    counted, read = done.counters.events.total, done.counters.source.records
    text = "all accounted for" if counted == read else f"{counted:,} accounted for"
    return f"{text}; stopped before the end" if done.counters.stopped else text


def _unwritten(done: Replayed) -> str:
    sink = done.counters.sink
    parts = [
        f"{count:,} {name}"
        for name, count in (
            ("stale or expired", sink.stale),
            ("gated", sink.gated),
            ("unwritable", sink.unwritable),
        )
        if count
    ]
    return ", ".join(parts)
