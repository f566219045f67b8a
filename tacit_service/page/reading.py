"""Reading of all facts of the page from Redis."""

import asyncio
from time import time_ns

from tacit.contract.names import Names
from tacit.reader.adaptation import Adaptation
from tacit_service.page.facts import Facts
from tacit_service.page.language import Language
from tacit_service.service import Service
from tacit_service.user_keys import read_history, read_user_keys, redis_unavailable

_PAUSES_S = (0.1, 0.4, 1.0)
"""Pauses before further reads; after a second, the reader's circuit breaker lets a read through."""


async def read_facts(service: Service, user_id: str, language: Language) -> Facts:
    """Return the facts on a user.

    Raises:
        ProblemError: Redis does not answer, or the user's gate is unreadable, so that readers serve defaults.
    """
    user = service.pseudonym(user_id)
    adaptation = await _read_adaptation(service, user_id)
    keys = await read_user_keys(service, user)
    gate = keys.readable_gate
    history = await read_history(service, user)
    now_ms = time_ns() // 1_000_000
    catalogue = service.catalogue
    names = Names.of(catalogue, language.code)
    return Facts(adaptation, gate, history, catalogue, language, now_ms, names, keys.expires_at_ms)


async def _read_adaptation(service: Service, user_id: str) -> Adaptation:
    """Return the adaptation of a user. A user can wait longer for a page than an answer can wait for a style."""
    for pause_s in (*_PAUSES_S, None):
        adaptation = await service.read(user_id)
        if adaptation.status != "unavailable":
            return adaptation
        if pause_s is not None:
            await asyncio.sleep(pause_s)
    raise redis_unavailable()
