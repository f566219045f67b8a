"""Actions on a user's data: send a control event, wait for its effect, and record the action in the audit.

The commands and the HTTP API use the same functions.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from dataflows.control.audit import audited, record
from dataflows.control.effect import wait_for, watching
from dataflows.control.sending import Sent
from dataflows.control.users import pseudonym_of
from dataflows.settings import Settings


@dataclass(frozen=True, slots=True)
class Carried:
    """A control event that was sent, and the time until its effect."""

    sent: Sent
    took_s: float | None
    """Seconds from the start of the sending until the effect was visible; None: the action did not wait."""

    @property
    def took_ms(self) -> float | None:
        """The same in milliseconds."""
        return None if self.took_s is None else round(self.took_s * 1000, 1)


def carry_out(
    settings: Settings,
    action: str,
    user_id: str,
    send: Callable[[Settings], Sent],
    wait_s: float | None,
    on_sent: Callable[[Sent], object] | None = None,
) -> Carried:
    """Send a control event, and wait for its effect.

    Args:
        settings: source, Redis and audit.
        action: name of the action in the audit.
        user_id: the user.
        send: a function of `dataflows.control.sending`, with its arguments.
        wait_s: limit of the wait; None: do not wait.
        on_sent: callback between sending and wait, such as an answer. A line `sent` of the audit precedes the callback,
            and a second line follows with the effect.

    Raises:
        ConfigurationError: the event is not allowed; nothing was sent.
        NoEffectError: the event is sent, and its effect is not visible in time.
        TacitError: the source did not take the event, Redis did not answer, or the audit cannot be written.
    """
    user = pseudonym_of(settings, user_id)
    with audited(settings, action, user) as entry:
        start_s = time.monotonic()
        sent = send(settings)
        entry.outcome = "sent"
        entry.detail |= {"event_id": sent.event.event_id, "at_ms": sent.event.at}
        if on_sent is not None:
            record(settings, action, user, entry.outcome, entry.detail)
            on_sent(sent)
        if wait_s is None:
            return Carried(sent, None)
        with watching(settings, user) as watcher:
            done = Carried(sent, wait_for(watcher, sent, since_s=start_s, limit_s=wait_s))
        entry.outcome = "visible"
        entry.detail["took_ms"] = done.took_ms
        return done
