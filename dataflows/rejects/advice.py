"""Meaning of each reason, and the step of an operator that follows."""

from collections.abc import Mapping
from typing import NamedTuple

from state.events.records import Reason


class Advice(NamedTuple):
    """Text for one reason."""

    meaning: str
    step: str


UNWRITABLE = "unwritable"
"""Reason of a write that Redis never takes; it stands for no record."""

ADVICE: Mapping[str, Advice] = {
    Reason.NOT_JSON: Advice(
        "The record is no JSON.",
        "Correct the producer. Repair the record from the producer's own log, and feed it by "
        "`tacit rejects retry --repaired FILE`.",
    ),
    Reason.UNREADABLE: Advice(
        "The bytes of an Avro or Protobuf record do not follow their schema, or name no schema.",
        "Correct the serializer of the producer, and let it send the event again.",
    ),
    Reason.INVALID: Advice(
        "A member breaks its rule; the detail names the member and the rule.",
        "Correct the producer, and feed the repaired record by `tacit rejects retry --repaired FILE`.",
    ),
    Reason.TOO_LARGE: Advice(
        "The record is larger than 16 KiB.",
        "Send less per event, such as fewer members of `acted_on`; a shorter record can be fed by "
        "`tacit rejects retry --repaired FILE`.",
    ),
    Reason.UNKNOWN_SCHEMA: Advice(
        "The record names a schema that this version or the schema registry does not know.",
        "Upgrade the workers, or register the schema; then `tacit rejects retry` feeds the record as it is.",
    ),
    Reason.NOT_IN_CATALOGUE: Advice(
        "The catalogue lacks a name; the detail is the path of the member.",
        "Add the name to the catalogue of workers and readers, and restart the workers; then `tacit rejects retry` "
        "feeds the record as it is. A typing error of the producer needs a repaired record.",
    ),
    Reason.FUTURE: Advice(
        "The event time is more than 5 minutes ahead of the record's own time.",
        "Correct the clock of the producer. Feed a record with the right `at` by "
        "`tacit rejects retry --repaired FILE`.",
    ),
    Reason.WRONG_REGION: Advice(
        "The event names another region than that of the workers.",
        "Route the producer to the topic of that region, and send the event there. Never feed it into this region.",
    ),
    Reason.LATE: Advice(
        "The interaction is older than the user's newest event by more than the lateness.",
        "Replay the whole history, in order, into another namespace. Fed into the live topic, it would be late again.",
    ),
    UNWRITABLE: Advice(
        "Redis never takes the write: another program wrote the key, or a version is ahead of its clock.",
        "Delete the foreign key, or correct the clock, then run `tacit rebuild`. There is no record to feed.",
    ),
}

CONTROL_STEP = (
    "A user's choice was not carried out: carry it out by `tacit consent`, `tacit pin` or `tacit forget`, or feed a "
    "repaired event that is at least as restrictive."
)
"""First step of a control event, before that of its reason."""

_UNKNOWN = Advice("This version does not know the reason.", "Use the version that wrote the reject.")


def advice(reason: str, control: str = "") -> Advice:
    """Return the text for a reason, and for the type of a control event.

    >>> advice("unheard of").step
    'Use the version that wrote the reject.'
    """
    found = ADVICE.get(reason, _UNKNOWN)
    return found._replace(step=f"{CONTROL_STEP} {found.step}") if control else found
