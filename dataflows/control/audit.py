"""Audit: one line per action of an operator, in a file or a topic that shows later changes.

A command records an action with `audited`, and an operator checks the chain with `tacit audit verify`.
"""

import os
import pwd
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING

from msgspec.structs import replace

from connectors.files.chained_file import Append, ChainedFile, Tail
from connectors.kafka.client_options import DEFAULT_CLIENT, ClientOptions
from dataflows.control.audit_chain import (
    TORN,
    Entry,
    Line,
    Problem,
    Tip,
    Verified,
    read_head,
    read_line,
    torn_detail,
    verify,
    write_head,
    write_line,
)
from dataflows.settings import Settings
from tacit.contract.pseudonyms import pseudonym_text
from tacit.errors import TacitError

if TYPE_CHECKING:
    from connectors.kafka.chained_topic import ChainedTopic

Detail = Mapping[str, str | int | float | bool | None]


@dataclass(slots=True)
class Audited:
    """Action that is running; `outcome` and `detail` go into its line."""

    outcome: str = "done"
    detail: dict[str, str | int | float | bool | None] = field(default_factory=dict)


@contextmanager
def audited(
    settings: Settings, action: str, user: bytes | None, *, warns: bool = True, **detail: str | int | bool | None
) -> Iterator[Audited]:
    """Record an action when the block ends, with `failed` and the kind of the error if the block raises.

    The block runs only if the audit can be written. A block that reads a user's data returns before its result is
    shown: the line precedes the answer.

    Args:
        settings: `audit` and `operator`.
        action: name of the action, such as `forget`.
        user: 16-byte pseudonym; None for an action about no single user.
        warns: False for an action with a result that readers see, too.
        detail: members of the line; no user id, and nothing that was learned.

    Raises:
        SinkError: the audit cannot be written; after the block, the action is done and not recorded.
    """
    require(settings, warns=warns)
    action_now = Audited(detail=dict(detail))
    try:
        yield action_now
    except BaseException as error:
        outcome = action_now.outcome if action_now.outcome != "done" else "failed"
        record(settings, action, user, outcome, {**action_now.detail, "error": type(error).__name__})
        raise
    record(settings, action, user, action_now.outcome, action_now.detail)


def require(settings: Settings, *, warns: bool = True) -> None:
    """Check that the audit can be written; warn if the settings name none and `warns`.

    Raises:
        TacitError: it cannot.
    """
    if settings.audit is None:
        if warns:
            _warn()
        return
    target = _target(settings.audit, settings.kafka)
    target.require()


def _warn() -> None:
    import structlog  # takes longer than the rest of a read with an audit

    advice = "set --audit FILE or TACIT_AUDIT; this action leaves no line"
    structlog.get_logger("audit").warning("audit.not_configured", advice=advice)


def record(settings: Settings, action: str, user: bytes | None, outcome: str, detail: Detail | None = None) -> None:
    """Append a line to the audit; without an audit in the settings, do nothing.

    Raises:
        SinkError: the line was not written.
    """
    if settings.audit is None:
        return
    os_user = _os_user()
    entry = Entry(
        seq=0,
        at_ms=time_ns() // 1_000_000,
        action=action,
        user=None if user is None else pseudonym_text(user),
        by=settings.operator or os_user,
        os_user=os_user,
        outcome=outcome,
        detail=dict(detail or {}),
        prev="",
    )
    target = _target(settings.audit, settings.kafka)
    if isinstance(target, ChainedFile):
        target.append(lambda tail: _next_lines(entry, tail))
    else:
        target.append(lambda newest: _next_record(entry, newest))


def verify_audit(places: list[str], expected: str | None = None, client: ClientOptions = DEFAULT_CLIENT) -> Verified:
    """Check the chain in a topic, or in files from the oldest to the newest.

    Raises:
        SourceError: a place cannot be read.
    """
    if len(places) == 1 and places[0].startswith("kafka:"):
        return _verify_topic(_topic(places[0], client), expected)
    files = [ChainedFile(Path(place)) for place in places]
    head_data = files[-1].read_head()
    found = verify((line for file in files for line in file.lines()), head=read_head(head_data), expected=expected)
    if read_head(head_data) is not None or expected is not None:
        return found
    text = "the head file is missing or damaged, so a missing end would not show; name a noted hash by --expect"
    return found._replace(problems=(*found.problems, Problem(found.lines, "truncated", text)))


def _verify_topic(topic: "ChainedTopic", expected: str | None) -> Verified:
    records = list(topic.records())
    is_whole = not records or records[0][0] == 0
    found = verify((value for _, value in records), expected=expected, begins_at=1 if is_whole else 0)
    if is_whole:
        return found
    return found._replace(notes=(*found.notes, "older lines are gone by the retention of the topic"))


def _target(audit: str, client: ClientOptions) -> "ChainedFile | ChainedTopic":
    return _topic(audit, client) if audit.startswith("kafka:") else ChainedFile(Path(audit))


def _topic(audit: str, client: ClientOptions) -> "ChainedTopic":
    from connectors.kafka.address import TopicAddress
    from connectors.kafka.chained_topic import ChainedTopic  # an audit in a file needs no Kafka client

    return ChainedTopic(TopicAddress.parse(audit, client))


def _next_lines(entry: Entry, tail: Tail) -> Append:
    """Return the lines to append: the entry, after a line that records an unreadable end."""
    last = tail.torn or (tail.lines[-1] if tail.lines else b"")
    tip = max(_last_tip(tail), read_head(tail.head) or Tip(), key=lambda each: each.seq)
    lines = []
    if last and read_line(last) is None:
        torn = _continued(entry, tip, action=TORN, user=None, outcome="recorded", detail=dict(torn_detail(last)))
        lines.append(torn)
        tip = _tip_of(torn)
    lines.append(_continued(entry, tip))
    return Append(tuple(lines), write_head(_tip_of(lines[-1])))


def _last_tip(tail: Tail) -> Tip:
    """Return the newest intact line of the file."""
    found: Iterator[Line | None] = map(read_line, (tail.torn, *reversed(tail.lines)))
    return next((line.tip for line in found if line), Tip())


def _next_record(entry: Entry, newest: bytes | None) -> bytes:
    if newest is None:
        return _continued(entry, Tip())
    line = read_line(newest)
    if line is None:
        raise TacitError("audit: the newest record of the topic is no line of an audit; name a topic of its own")
    return _continued(entry, line.tip)


def _continued(entry: Entry, tip: Tip, **changes: object) -> bytes:
    return write_line(replace(entry, seq=tip.seq + 1, prev=tip.hash, **changes))


def _tip_of(line: bytes) -> Tip:
    found = read_line(line)
    if found is None:
        raise AssertionError("a line that was just written is readable")
    return found.tip


def _os_user() -> str:
    """Return the user of the operating system; not the variable USER, which a caller may set."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
