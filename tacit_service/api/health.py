"""Health, metrics, and the OpenAPI document."""

import asyncio
from typing import TYPE_CHECKING

from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST

from tacit.errors import TacitError
from tacit_service.http.answers import Answer, json_answer
from tacit_service.http.operations import Call, Operation

if TYPE_CHECKING:
    from tacit_service.service import Service

_CHECK_S = 3.0


class Health(Struct, frozen=True):
    """Health of the process."""

    status: str
    reasons: list[str] = []


async def is_alive(_call: Call) -> Answer:
    """Return 200 while the event loop turns."""
    return json_answer(Health("ok"))


async def is_ready(call: Call) -> Answer:
    """Return 200 if Redis and the source answer."""
    reasons = await unready_reasons(call.service)
    return json_answer(Health("unavailable" if reasons else "ok", reasons), 503 if reasons else 200)


async def unready_reasons(service: "Service") -> list[str]:
    """Return the reasons for which the service cannot work."""
    found = await asyncio.gather(_redis_reason(service), _source_reason(service))
    return [reason for reason in found if reason]


async def _redis_reason(service: "Service") -> str:
    [reply] = await service.redis.execute([("GET", service.region_keys.active)])
    return "redis: does not answer" if isinstance(reply, Exception) else ""


async def _source_reason(service: "Service") -> str:
    if not service.has_log:
        return ""
    try:
        await asyncio.wait_for(asyncio.wrap_future(service.log.check()), _CHECK_S)
    except (TacitError, TimeoutError):
        return "source: does not answer"
    return ""


async def metrics(call: Call) -> Answer:
    """Return the metrics in the text format of Prometheus."""
    service = call.service
    return Answer(200, service.metrics.text(), CONTENT_TYPE_LATEST)


async def openapi(call: Call) -> Answer:
    """Return the OpenAPI document."""
    return json_answer(call.request.app.openapi())


OPERATIONS = (
    Operation(
        method="GET",
        path="/livez",
        handle=is_alive,
        summary="Check that the process answers",
        scope=None,
        answers={200: ("The process answers.", Health)},
    ),
    Operation(
        method="GET",
        path="/readyz",
        handle=is_ready,
        summary="Check that the service can work",
        scope=None,
        answers={200: ("Redis and the source answer.", Health), 503: ("The reasons.", Health)},
    ),
    Operation(
        method="GET",
        path="/metrics",
        handle=metrics,
        summary="Read the metrics",
        scope=None,
        answers={200: ("Metrics in the text format of Prometheus.", "text/plain")},
    ),
    Operation(
        method="GET",
        path="/v1/openapi.json",
        handle=openapi,
        summary="Read this document",
        scope=None,
        answers={200: ("The OpenAPI document.", "application/json")},
    ),
)
