"""Purpose, source and retention of each part of an export."""

from dataflows.control.export_document import About, Elsewhere
from state.user.absence import RECLAIM_GRACE_MS
from state.user.rules import IDLE_MS
from tacit.contract.activity import DAY_MS
from tacit.contract.lifetimes import CONSENT_TTL_MS, SIGNAL_TTL_MS, TOMBSTONE_MS

_IDLE_DAYS = IDLE_MS // DAY_MS
_LEARNED = f"until a forget, a withdrawal of learn, or {_IDLE_DAYS} days without an event"
_FEEDBACK = "the user's feedback on answers"
_EVENTS = "the user's events"

ABOUT: dict[str, About] = {
    "consent": About(
        "to learn, use and try values only as the user allows, and to keep deleted data out",
        "consent and forget events",
        f"a no: until the user changes it; a yes: {_IDLE_DAYS} days without an event, and its trace "
        f"{RECLAIM_GRACE_MS // DAY_MS} days more; times of wipes: {TOMBSTONE_MS // DAY_MS} days after the last event",
    ),
    "pins": About(
        "to use the user's own settings in place of learned values",
        "pin events",
        "until the user removes them, or forgets",
    ),
    "activity": About("to show an assistant how active the user is, and on which topics", _EVENTS, _LEARNED),
    "recent": About("to count and learn every event once", _EVENTS, f"the last 64 events and 16 turns; {_LEARNED}"),
    "beliefs": About("to choose the style of answers for the user", _FEEDBACK, f"fades; {_LEARNED}"),
    "evidence": About("to explain what was learned", _FEEDBACK, f"the last pieces, and fading sums; {_LEARNED}"),
    "emitted": About("to write a signal only when it changes", "the beliefs", _LEARNED),
    "inferred": About(
        "to choose the style of answers for the user",
        "the beliefs and the feedback of all users; computed for this export",
        "not stored",
    ),
    "redis": About(
        "to give signals to assistants, and to hold consent and pins for them",
        "the worker",
        f"signals: {SIGNAL_TTL_MS // DAY_MS} days after the event by default; a gate with consents only: "
        f"{CONSENT_TTL_MS // DAY_MS} days; a gate with a no or a pin: until the user changes it",
    ),
}
"""Part → facts."""

ELSEWHERE = (
    Elsewhere(
        "topic or files of events (under the user id)",
        About("source of all that is learned", "the assistant", "the retention of the topic; set by the operator"),
    ),
    Elsewhere(
        "older checkpoints and backups of the state folder",
        About("to resume after a crash", "the worker", "erased with the next checkpoints; backups: the operator"),
    ),
    Elsewhere(
        "audit and receipts",
        About("to show what operators did", "commands of operators", "set by the operator"),
    ),
    Elsewhere(
        "population model",
        About("to choose defaults", "the feedback of 20 users or more", "holds nothing that names a user; fades"),
    ),
)
