"""Events: into the source of the workers, each with its outcome."""

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from time import time_ns
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct

from operators.decoders import Repaired, Undecodable
from operators.parse import Parser
from state.catalogue.numbered import NumberedCatalogue
from state.counters import EventCounters
from state.events.records import FileOrigin, Record, Reject
from tacit.contract.events import Event, Interaction
from tacit.errors import TacitError
from tacit_service.access.callers import Caller, forbidden
from tacit_service.event_log import FullError, Line
from tacit_service.http.answers import Answer, json_answer
from tacit_service.http.bodies import decoded
from tacit_service.http.operations import Call, Operation
from tacit_service.http.problems import ProblemError
from tacit_service.service import Service

MAX_EVENTS = 500
MAX_BYTES = 1 << 20
_TURN = 50
_ORIGIN = FileOrigin("http")
_FULL = "Too many events wait for the source, and no event was stored. Send the events again."
_UNKNOWN = "The source did not answer. Events may or may not be stored; send them again with the same event ids."

OutcomeName = Literal["accepted", "rejected", "failed"]


class Outcome(Struct, frozen=True, omit_defaults=True):
    """Outcome of one event."""

    event_id: str | None
    """None: the event has no readable id."""
    outcome: OutcomeName
    """`accepted`: acknowledged by the source; `rejected`: a repetition does not help; `failed`: send it again."""
    reason: str | None = None
    """Reason of a reject, as in the rejects of workers, or `forbidden` or `unavailable`."""
    detail: str | None = None


class Outcomes(Struct, frozen=True):
    """Outcomes in the order of the events."""

    outcomes: list[Outcome]


class _Named(Struct, frozen=True):
    event_id: str


class _Checked(NamedTuple):
    """An event that the contract, the catalogue and the caller's scopes permit."""

    event: Event
    line: Line


class Checker:
    """Check of events by the parser of the workers.

    Args:
        service: settings and catalogue.
    """

    def __init__(self, service: Service) -> None:
        settings = service.settings
        self._parser = Parser(
            catalogue=NumberedCatalogue.load(settings.catalogue),
            region=settings.region,
            secret=service.secret,
            shards=1,
            counters=EventCounters(),
        )
        self._names = msgspec.json.Decoder(_Named)
        self._encode = msgspec.json.Encoder().encode

    def check(self, data: bytes, caller: Caller) -> _Checked | Outcome:
        """Return an event, or the outcome of a reject."""
        found = self._parser.parse(Record(_ORIGIN, 0, data, time_ns() // 1_000_000))
        if isinstance(found, Reject):
            return Outcome(self._event_id(data), "rejected", str(found.reason), found.detail)
        event = self._parser.format.decode(data)
        if isinstance(event, Repaired | Undecodable):
            detail = "the event is a withdrawal with a member that breaks its rule; correct it"
            return Outcome(self._event_id(data), "rejected", "invalid", detail)
        scope = "send" if isinstance(event, Interaction) else "manage"
        if scope not in caller.scopes:
            return Outcome(event.event_id, "rejected", "forbidden", f"the token needs the scope {scope}")
        return _Checked(event, Line(event.user_id.encode(), self._encode(event)))

    def _event_id(self, data: bytes) -> str | None:
        try:
            return self._names.decode(data).event_id[:64]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None


_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])


def _events_in(body: bytes) -> Sequence[bytes]:
    """Return the JSON of each event of a body."""
    text = body.strip(b" \t\r\n")
    if not text:
        raise ProblemError("invalid-request", "The body is empty; send an event, or a list of 1 to 500.")
    if not text.startswith(b"["):
        return (body,)
    events = decoded(_ARRAY, body)
    if not events:
        raise ProblemError("invalid-request", "The list has no event; send 1 to 500.")
    if len(events) > MAX_EVENTS:
        raise ProblemError("too-large", f"Send at most {MAX_EVENTS} events in a request.")
    return [bytes(event) for event in events]


@lru_cache(1)
def _checker(service: Service) -> Checker:
    return Checker(service)


async def send_events(call: Call) -> Answer:
    """Take events, and answer when the source has acknowledged them."""
    service, caller = call.service, call.caller
    if not caller.scopes & {"send", "manage"}:
        raise forbidden("send")
    log, checker = service.log, _checker(service)
    checked: list[_Checked | Outcome] = []
    for data in _events_in(call.body):
        checked.append(checker.check(data, caller))
        if len(checked) % _TURN == 0:
            await asyncio.sleep(0)
    good = [each for each in checked if isinstance(each, _Checked)]
    for user in {each.event.user_id for each in good}:
        service.count_user(service.pseudonym(user))
    problem = ""
    if good:
        try:
            await asyncio.wrap_future(log.append([each.line for each in good]))
        except (FullError, TacitError) as error:
            problem = _FULL if isinstance(error, FullError) else _UNKNOWN
            if len(good) == len(checked):
                service.metrics.events["failed", "unavailable"] += len(good)
                raise ProblemError("unavailable", problem, headers={"Retry-After": "2"}) from None
    outcomes = [each if isinstance(each, Outcome) else _outcome(each.event, problem) for each in checked]
    for each in outcomes:
        service.metrics.events[each.outcome, each.reason or ""] += 1
    is_whole = all(each.outcome == "accepted" for each in outcomes)
    return json_answer(Outcomes(outcomes), 202 if is_whole else 207)


def _outcome(event: Event, problem: str) -> Outcome:
    if problem:
        return Outcome(event.event_id, "failed", "unavailable", problem)
    return Outcome(event.event_id, "accepted")


def body_schema() -> dict[str, Any]:
    """Return the JSON Schema of a body: an event, or a list of events."""
    event = {"$ref": "#/components/schemas/Event"}
    return {"oneOf": [event, {"type": "array", "items": event, "minItems": 1, "maxItems": MAX_EVENTS}]}


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/events",
        handle=send_events,
        summary="Send events",
        scope="any",
        body_schema=body_schema(),
        max_bytes=MAX_BYTES,
        answers={
            202: ("The source has acknowledged all events.", Outcomes),
            207: ("Some events were rejected or have to be sent again.", Outcomes),
        },
    ),
)
