"""Users: the knowledge about one."""

import msgspec

from tacit.contract.events import Locale, UserId
from tacit_service.http.answers import Answer, json_answer
from tacit_service.http.operations import Call, Operation, Parameter
from tacit_service.http.problems import invalid
from tacit_service.known import DEFAULT_LANGUAGE, Known, known
from tacit_service.user_keys import read_user_keys, redis_unavailable

USER = Parameter("user", "User id, percent-encoded.", kind=UserId, place="path", is_required=True)
LANGUAGE = Parameter("language", "Language of labels and titles, such as de or de-AT.", kind=Locale)


def language_of(call: Call) -> str:
    """Return the language that the caller wants.

    Raises:
        ProblemError: it is no language tag.
    """
    language = call.query("language")
    try:
        return DEFAULT_LANGUAGE if language is None else msgspec.convert(language, Locale)
    except msgspec.ValidationError:
        raise invalid("language", "A language tag such as en or de-AT is allowed.") from None


async def read_user(call: Call) -> Answer:
    """Return the knowledge about a user, in words and numbers."""
    service, user_id = call.service, call.user_id
    language = language_of(call)
    user = service.pseudonym(user_id)
    service.count_user(user)
    adaptation = await service.reads.get(user_id)
    service.metrics.reads[adaptation.status] += 1
    if adaptation.status == "unavailable":
        raise redis_unavailable()
    keys = await read_user_keys(service, user)
    return json_answer(known(service.catalogue, user, adaptation, keys.gate, keys.expires_at_ms, language))


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/users/{user}",
        handle=read_user,
        summary="Read what is known about a user",
        scope="manage",
        answers={200: ("Facets, consent and profile, with the text that assistants get.", Known)},
        parameters=(USER, LANGUAGE),
    ),
)
