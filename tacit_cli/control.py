"""Control events by command: send, wait for the effect, and record the action in the audit."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from dataflows.control.audit import audited
from dataflows.control.effect import wait_for, watching
from dataflows.control.sending import Sent
from dataflows.settings import CONTROL, Settings
from tacit.contract.catalogue import Catalogue
from tacit.contract.pseudonyms import pseudonym
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


@dataclass(frozen=True, slots=True)
class Carried:
    """A control event that was sent, and the time until its effect."""

    sent: Sent
    took_s: float | None
    """Seconds from the start of the sending until the effect was visible; None: the command did not wait."""

    def as_dict(self, action: str) -> dict[str, Any]:
        """Return the document for `--json`."""
        event = self.sent.event
        took_ms = None if self.took_s is None else round(self.took_s * 1000, 1)
        return {
            "action": action,
            "event_id": event.event_id,
            "at_ms": event.at,
            "region": event.region,
            "source": self.sent.source,
            "visible": None if self.took_s is None else True,
            "took_ms": took_ms,
        }

    def text(self, subject: str) -> str:
        """Return the line for a terminal."""
        if self.took_s is None:
            return f"{subject} is in {self.sent.source}; {WAIT} returns when a worker has carried it out"
        return f"{subject} is visible in Redis after {self.took_s * 1000:.0f} ms"


def carry_out(
    invocation: Invocation, action: str, user_id: str, send: Callable[[Settings], Sent], wait_s: float | None
) -> Carried:
    """Send a control event, and wait for its effect.

    Raises:
        TacitError: the source did not take the event, or the effect is not visible in time.
    """
    settings = logged_settings(invocation)
    user = pseudonym(user_id, settings.secret_bytes, Catalogue.load(settings.catalogue).identity)
    with audited(settings, action, user) as entry:
        start_s = time.monotonic()
        sent = send(settings)
        entry.outcome = "sent"
        entry.detail |= {"event_id": sent.event.event_id, "at_ms": sent.event.at}
        took_s = None
        if wait_s is not None:
            with watching(settings, user) as watcher:
                took_s = wait_for(watcher, sent, since_s=start_s, limit_s=wait_s)
            entry.outcome = "visible"
            entry.detail["took_ms"] = round(took_s * 1000, 1)
    return Carried(sent, took_s)
