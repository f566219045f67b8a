"""Context: the part of a user's signals that an assistant may reason with."""

from time import time_ns

from tacit.reader.preferred import contexts_of
from tacit_service.api.users import USER, counted_user
from tacit_service.context import Context, context
from tacit_service.http.answers import Answer, json_answer
from tacit_service.http.operations import Call, Operation, Parameter
from tacit_service.http.problems import invalid

_UNIT = "context"
_MAX_UNIT = 256
TEXT = "text/plain; charset=utf-8"


async def read_context(call: Call) -> Answer:
    """Return the context of a conversation as JSON, or with `Accept: text/plain` as a short text."""
    service, unit = call.service, call.query("unit") or _UNIT
    if len(unit) > _MAX_UNIT:
        raise invalid("unit", f"At most {_MAX_UNIT} characters are allowed.")
    topic, surface = call.query("topic"), call.query("surface")
    user_id = counted_user(call)
    adaptation = await service.read(user_id)
    described = adaptation.describe(unit, topic=topic, surface=surface)
    if _wants_text(call):
        return Answer(200, described.text().encode(), TEXT)
    now_ms = time_ns() // 1_000_000
    user, contexts = service.pseudonym(user_id), contexts_of(topic, surface)
    return json_answer(context(adaptation, user, described, contexts, now_ms))


def _wants_text(call: Call) -> bool:
    accepted = call.request.headers.get("accept", "")
    first = accepted.partition(",")[0].partition(";")[0].strip().lower()
    return first == "text/plain"


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/context/{user}",
        handle=read_context,
        summary="Read the context of a conversation",
        scope="choose",
        answers={200: ("Preferences, activity, topics and session, each with its age.", Context)},
        forms=("text/plain",),
        parameters=(
            USER,
            Parameter("unit", "Identifier of the conversation."),
            Parameter("topic", "Topic of the answer."),
            Parameter("surface", "Surface of the answer."),
        ),
    ),
)
