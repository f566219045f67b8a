"""Users: the knowledge about one."""

import msgspec

from tacit.contract.events import Locale, UserId
from tacit_service.http.answers import Answer, json_answer
from tacit_service.http.operations import Call, Operation, Parameter
from tacit_service.http.problems import invalid
from tacit_service.known import DEFAULT_LANGUAGE, Known, known
from tacit_service.service import Service
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


def counted_user(call: Call) -> str:
    """Return the user id in the path, and count the request."""
    user_id = call.user_id
    call.service.count_user(call.service.pseudonym(user_id))
    return user_id


async def read_user(call: Call) -> Answer:
    """Return the knowledge about a user, in words and numbers."""
    language = language_of(call)
    return json_answer(await read_known(call.service, counted_user(call), language))


async def read_known(service: Service, user_id: str, language: str = DEFAULT_LANGUAGE) -> Known:
    """Return the knowledge about a user.

    Raises:
        ProblemError: Redis does not answer.
    """
    user = service.pseudonym(user_id)
    adaptation = await service.read(user_id)
    if adaptation.status == "unavailable":
        raise redis_unavailable()
    keys = await read_user_keys(service, user)
    return known(service.catalogue, user, adaptation, keys.gate, keys.expires_at_ms, language)


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
