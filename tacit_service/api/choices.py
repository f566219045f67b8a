"""Choices: the style of the next answer."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from msgspec import Meta, Struct

from tacit import Adaptation, Choice, pseudonym_text
from tacit.contract.catalogue import Catalogue
from tacit.contract.events import Name, UserId
from tacit.reader.adaptation import Status
from tacit.reader.choice import Followed, Policy, Strength
from tacit_service.http.answers import Answer, json_answer
from tacit_service.http.operations import Call, Operation
from tacit_service.http.problems import MemberProblem, ProblemError

MAX_BATCH = 500
_BATCH_BYTES = 1 << 20
_TURN = 50
"""Choices of a batch after which other requests get their turn."""


class ChoiceRequest(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Request of a choice."""

    user: UserId
    unit: Annotated[str, Meta(min_length=1, max_length=256)]
    """Identifier that the choice stays the same for, usually the conversation's."""
    topic: Name | None = None
    surface: Name | None = None
    explore: bool = True
    """Permission to try other values in this conversation; the user's consent is needed in any case."""
    pinned: Annotated[dict[Name, Name], Meta(max_length=64)] = {}
    """Facet → value that holds in this conversation only, above all others."""
    defaults: bool = False
    """Name default values in the prompt, too."""


class BatchRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Request of several choices."""

    requests: Annotated[list[ChoiceRequest], Meta(min_length=1, max_length=MAX_BATCH)]


class Reason(Struct, frozen=True):
    """The signal behind a value."""

    value: str
    source: str
    tier: str
    confidence: float | None
    why: tuple[tuple[str, int], ...]
    """Feedback kinds for the value, with their counts."""
    why_not: tuple[tuple[str, int], ...]


class ChoiceAnswer(Struct, frozen=True, omit_defaults=True):
    """Style of one conversation."""

    user: str
    """Pseudonym."""
    status: Status
    policy: Policy
    values: Mapping[str, str]
    strengths: Mapping[str, Strength]
    prompt: str
    acted_on: Sequence[Followed]
    """Entries to send back with the user's feedback."""
    reasons: Mapping[str, Reason]
    catalogue: int
    """Version of the catalogue."""
    proposed: Sequence[Followed] = ()
    """In apprentice mode: entries that `acted_on` would have."""


class BatchAnswer(Struct, frozen=True):
    """Styles in the order of the requests."""

    choices: list[ChoiceAnswer]


def answer_of(catalogue: Catalogue, adaptation: Adaptation, user: bytes, request: ChoiceRequest) -> ChoiceAnswer:
    """Return the answer to a request.

    Args:
        catalogue: the deployment's catalogue.
        adaptation: the user's adaptation.
        user: 16-byte pseudonym.
        request: the request; its pins are in the catalogue.
    """
    choice = adaptation.choose(request.unit, topic=request.topic, surface=request.surface, explore=request.explore)
    if request.pinned:
        choice = _pinned(choice, request.pinned, catalogue)
    return ChoiceAnswer(
        pseudonym_text(user),
        adaptation.status,
        choice.policy,
        choice.values,
        choice.strengths,
        choice.prompt(defaults=request.defaults),
        choice.acted_on,
        _reasons(adaptation, choice),
        catalogue.version,
        choice.proposed,
    )


def _pinned(choice: Choice, pinned: Mapping[str, str], catalogue: Catalogue) -> Choice:
    """Return a choice with pins of the conversation in place of values."""
    followed = {entry["facet"]: entry for entry in choice.acted_on}
    for facet, value in pinned.items():
        followed[facet] = {"facet": facet, "value": value, "version": None, "propensity": 1.0}
    entries = [followed[facet] for facet in catalogue.facets if facet in followed]
    strengths: dict[str, Strength] = {**choice.strengths, **dict.fromkeys(pinned, "pin")}
    return replace(
        choice,
        values={entry["facet"]: entry["value"] for entry in entries},
        acted_on=tuple(entries),
        strengths={entry["facet"]: strengths[entry["facet"]] for entry in entries},
    )


def _reasons(adaptation: Adaptation, choice: Choice) -> dict[str, Reason]:
    """Return the signal behind each value; none where signals are not used."""
    if choice.policy == "opted_out":
        return {}
    found = {}
    signals, defaults = adaptation.signals, adaptation.defaults
    for facet in choice.values:
        signal = signals.get(facet) or defaults.get(facet)
        if signal is not None:
            found[facet] = Reason(
                signal.value, signal.source, signal.tier, signal.confidence, signal.why, signal.why_not
            )
    return found


def check_pins(catalogue: Catalogue, pinned: Mapping[str, str], where: str) -> None:
    """Check pins of a conversation against the catalogue.

    Raises:
        ProblemError: a facet or value is not in the catalogue.
    """
    problems = []
    for facet, value in pinned.items():
        known = catalogue.facets.get(facet)
        if known is None:
            problems.append(MemberProblem(where, f"Allowed facets are {', '.join(catalogue.facets)}."))
        elif value not in known.values:
            problems.append(MemberProblem(f"{where}/{facet}", f"Allowed values are {', '.join(known.values)}."))
    if problems:
        raise ProblemError("invalid-request", "A name is not in the catalogue; see errors.", tuple(problems))


async def choose(call: Call) -> Answer:
    """Choose a value per facet for one answer of a conversation."""
    service, request = call.service, call.body
    if request.pinned:
        check_pins(service.catalogue, request.pinned, "/pinned")
    user = service.pseudonym(request.user)
    service.count_user(user)
    adaptation = await service.read(request.user)
    return json_answer(answer_of(service.catalogue, adaptation, user, request))


async def choose_many(call: Call) -> Answer:
    """Choose for several users or conversations, in order."""
    service, requests = call.service, call.body.requests
    for number, request in enumerate(requests):
        check_pins(service.catalogue, request.pinned, f"/requests/{number}/pinned")
    service.callers.count(call.caller, len(requests) - 1)
    users = [service.pseudonym(request.user) for request in requests]
    for user in dict.fromkeys(users):
        service.count_user(user)
    found = await service.reader.get_many([*dict.fromkeys(request.user for request in requests)])
    choices: list[Any] = []
    for user, request in zip(users, requests, strict=True):
        adaptation = found[request.user]
        service.metrics.reads[adaptation.status] += 1
        choices.append(answer_of(service.catalogue, adaptation, user, request))
        if len(choices) % _TURN == 0:
            await asyncio.sleep(0)
    return json_answer(BatchAnswer(choices))


_ANSWERS = {200: ("The values, the text for the prompt, and the entries for the feedback.", ChoiceAnswer)}

OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/choices",
        handle=choose,
        summary="Choose the style of an answer",
        scope="choose",
        body=ChoiceRequest,
        answers=_ANSWERS,
    ),
    Operation(
        method="POST",
        path="/v1/choices:batch",
        handle=choose_many,
        summary="Choose for up to 500 users",
        scope="choose",
        body=BatchRequest,
        max_bytes=_BATCH_BYTES,
        answers={200: ("The choices in the order of the requests.", BatchAnswer)},
    ),
)
