"""State of one user as a panel, for a privacy review or for the user."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tacit.contract.activity import Activity, described
from tacit_cli.views.adaptation_panel import TIER_STYLE, limits_text

_BARS = " ▁▂▃▄▅▆▇█"
_LABEL_WIDTH = len("set by the user")

Shown = Mapping[str, Any]
"""Document of `tacit_cli.views.user_record`."""


def user_panel(user: Shown, now_ms: int) -> RenderableType:
    """Return consent, pins, activity and beliefs of a user."""
    parts: list[RenderableType] = [_facts(user, now_ms)]
    if user["pins"]:
        parts += [Text(), _pins(user["pins"])]
    if any(user["hours"]):
        parts += [Text(), _activity(user)]
    if user["beliefs"]:
        parts += [Text(), _beliefs(user)]
    return Panel(Group(*parts), title=Text(user["user"]), title_align="left", expand=False, padding=(0, 1))


def _facts(user: Shown, now_ms: int) -> Table:
    table = _table()
    made_ms = user["checkpoint_at_ms"]
    table.add_row("shard", f"{user['shard']}, checkpoint {user['checkpoint']} of {age(now_ms - made_ms)} ago")
    for scope, consent in user["consent"].items():
        table.add_row(f"consent to {scope}", _consent(consent))
    table.add_row("learns", "yes" if user["learns"] else "no")
    table.add_row("last wipe", utc(user["wiped_ms"]) if user["wiped_ms"] else "none")
    table.add_row("last forget", utc(user["forgotten_ms"]) if user["forgotten_ms"] else "none")
    table.add_row("newest event", utc(user["newest_ms"]))
    table.add_row("accepted events", f"{user['seq']:,} since the last wipe or long absence")
    return table


def _consent(consent: Shown) -> str:
    return f"{consent['state']} since {utc(consent['since_ms'])}" if consent["since_ms"] else consent["state"]


def _pins(pins: Shown) -> Table:
    table = _table("set by the user", "value", "at")
    for facet, pin in pins.items():
        value = pin["value"] or "(removed)"
        idle = pin["value"] and not pin["in_force"]
        table.add_row(facet, f"{value} (not in the catalogue)" if idle else value, utc(pin["at_ms"]))
    return table


def _activity(user: Shown) -> Table:
    activity, session, hours = user["activity"], user["session"], user["hours"]
    table = _table()
    table.add_row("turns", described(msgspec.convert(activity, Activity)))
    turns = f"{session['turns']} turn{'s' * (session['turns'] > 1)}"
    table.add_row("session", f"{turns} since {utc(session['started_at'])}, {session['negative_share']:.0%} disliked")
    table.add_row("topics", ", ".join(f"{topic} {share:.0%}" for topic, share in user["topics"]) or "none")
    table.add_row("hours", f"{bars(hours)}  0–23 h UTC, up to {max(hours):.1f}")
    return table


def _beliefs(user: Shown) -> Table:
    """Return a row per value; the row of the decided value has the decision."""
    table = _table("belief", "value", "mean", "sd", "for", "against", "decision")
    for column in (2, 3, 4, 5):
        table.columns[column].justify = "right"
    for facet, belief in user["beliefs"].items():
        decision, heading = belief["decision"], facet
        for value, now in belief["values"].items():
            decided = _decision(decision) if value == decision["value"] else ""
            sides = [f"{now[side]:.1f}" if now[side] else "–" for side in ("evidence", "against")]
            table.add_row(heading, value, f"{now['mean']:+z.2f}", f"{now['sd']:.2f}", *sides, decided)
            heading = ""
    return table


def _decision(decision: Shown) -> Text:
    tier = Text(f"{decision['confidence']:.2f} {decision['tier']}", TIER_STYLE[decision["tier"]])
    if limits := limits_text(decision["limited_by"]):
        tier.append(f": {limits}", "dim")
    return tier


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_header=bool(headings))
    for heading in headings or ("", ""):
        table.add_column(heading, min_width=_LABEL_WIDTH if not table.columns else None)
    return table


def bars(counts: list[float]) -> str:
    """Return a bar per count; the highest count has a full bar.

    >>> bars([0.0, 1.0, 8.0])
    ' ▁█'
    """
    most = max(counts) or 1.0
    return "".join(_BARS[max(round(8 * count / most), count > 0)] for count in counts)


def utc(at_ms: int) -> str:
    """Return epoch milliseconds as ISO 8601 in UTC.

    >>> utc(1795297433438)
    '2026-11-21T21:43:53.438Z'
    """
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def age(ms: int) -> str:
    """Return a duration in its largest unit, never negative.

    >>> age(61_000), age(7_200_000), age(-5)
    ('1 min', '2 h', '0 s')
    """
    seconds = max(0, ms // 1000)
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"
