"""Control events by command: send, wait for the effect, and record the action in the audit."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from dataflows.control.actions import Carried, carry_out
from dataflows.control.sending import Sent
from dataflows.settings import CONTROL, Settings
from tacit_cli.invocation import Invocation
from tacit_cli.optional_value import DEFAULTS, WAIT
from tacit_cli.worker_settings import logged_settings

SETTINGS = ("source", "redis", "region", "catalogue", "audit", "operator", "log_level")
"""Settings of a command that sends a control event."""

FAILS_IF = "the source did not take the event, or the effect is not visible in time"

Wait = Annotated[
    float | None,
    typer.Option(
        WAIT,
        metavar="[SECONDS]",
        min=0,
        help=f"Return when the effect is visible in Redis, after at most SECONDS, {DEFAULTS[WAIT]} by default.",
        show_default="do not wait",
        rich_help_panel=CONTROL,
    ),
]


def run_action(
    invocation: Invocation, action: str, user_id: str, send: Callable[[Settings], Sent], wait_s: float | None
) -> Carried:
    """Carry out an action with the settings of the invocation; errors as `carry_out`."""
    return carry_out(logged_settings(invocation), action, user_id, send, wait_s)


def document(action: str, done: Carried) -> dict[str, Any]:
    """Return the document for `--json`."""
    event = done.sent.event
    return {
        "action": action,
        "event_id": event.event_id,
        "at_ms": event.at,
        "region": event.region,
        "source": done.sent.source,
        "visible": None if done.took_s is None else True,
        "took_ms": done.took_ms,
    }


def text(subject: str, done: Carried) -> str:
    """Return the line for a terminal."""
    if done.took_s is None:
        return f"{subject} is in {done.sent.source}; {WAIT} returns when a worker has carried it out"
    return f"{subject} is visible in Redis after {done.took_s * 1000:.0f} ms"
