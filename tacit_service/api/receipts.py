"""Receipts of forgets."""

import re
from typing import Literal

from msgspec import Struct

from dataflows.control.receipt_store import find_receipt
from dataflows.control.receipts import Receipt, is_about
from tacit.contract.events import UserId
from tacit.errors import ConfigurationError, TacitError
from tacit_service.actions import problem_of
from tacit_service.http.answers import Answer, json_answer
from tacit_service.http.operations import Call, Operation, Parameter, not_configured
from tacit_service.http.problems import ProblemError, invalid
from tacit_service.service import Service

_NUMBER = re.compile(r"r-[0-9a-f]{32}")


class PendingReceipt(Struct, frozen=True):
    """A receipt that is being made."""

    number: str
    state: Literal["pending"] = "pending"


async def read_receipt(call: Call) -> Answer:
    """Return the receipt of a forget; 202 while it is being made."""
    service, number = call.service, call.path("number")
    user_id = call.query("user")
    if not user_id:
        raise invalid("user", "The user id is required; it is the proof that the receipt is about the user.")
    user = service.pseudonym(user_id)
    service.count_user(user)
    if service.pending.has(number, user):
        return json_answer(PendingReceipt(number), 202)
    return json_answer(await find(service, number, user))


async def find(service: Service, number: str, user: bytes) -> Receipt:
    """Return the receipt of a number, if it is about the user.

    Raises:
        ProblemError: there is none, or the receipts cannot be read.
    """
    if service.settings.receipts is None:
        raise not_configured("--receipts, the destination of receipts")
    missing = ProblemError("not-found", "There is no receipt of this number about the user.")
    if not _NUMBER.fullmatch(number):  # the store takes the path of a file, too
        raise missing
    try:
        receipt = await service.in_thread(lambda: find_receipt(service.settings, number, user))
    except ConfigurationError:
        raise missing from None
    except TacitError as error:
        raise problem_of(error) from None
    if not is_about(receipt, user):
        raise missing
    return receipt


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/receipts/{number}",
        handle=read_receipt,
        summary="Read the receipt of a forget",
        scope="manage",
        answers={
            200: ("The receipt (docs/schema/receipt.schema.json).", Receipt),
            202: ("The receipt is being made.", PendingReceipt),
        },
        parameters=(
            Parameter("number", "Number of the receipt.", place="path", is_required=True),
            Parameter("user", "User id.", kind=UserId, is_required=True),
        ),
        problems=("not-configured",),
    ),
)
