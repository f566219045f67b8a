"""Changes: server-sent events for assistants that keep signals in memory."""

from starlette.responses import Response

from tacit_service.http.event_stream import EventStream
from tacit_service.http.operations import Call, Operation, Parameter
from tacit_service.http.problems import ProblemError

MAX_STREAMS = 20_000


async def read_changes(call: Call) -> Response:
    """Send the pseudonyms of users after each change of signals.

    A message `changed` has `{"users": […]}`; `reset` means that changes may be missing: read all users again. A client
    that connects again sends `Last-Event-ID`.
    """
    service, request = call.service, call.request
    if service.changes.readers >= MAX_STREAMS:
        raise ProblemError("unavailable", "Too many streams are open.", headers={"Retry-After": "10"})
    messages = service.changes.messages(request.headers.get("last-event-id", ""))
    return EventStream(messages, lambda: service.callers.is_permitted(request, "choose"))


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/changes",
        handle=read_changes,
        summary="Follow changes of signals",
        scope="choose",
        answers={200: ("Server-sent events.", "text/event-stream")},
        parameters=(Parameter("Last-Event-ID", "Id of the last message that the client has.", place="header"),),
    ),
)
