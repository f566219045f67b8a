"""Verified forget: a search before, the forget, a search after, and the receipt; and the later check of a receipt."""

from collections.abc import Callable, Sequence
from functools import partial
from time import time_ns

from connectors.traces import Needles, needles_of
from dataflows.control.actions import Carried, carry_out
from dataflows.control.audit import audited, record
from dataflows.control.copies import Terms, copies_of, remaining_in
from dataflows.control.effect import watching
from dataflows.control.receipt_store import find_receipt, store_receipt
from dataflows.control.receipts import Kind, Receipt, Searched, commit, is_about, new_number
from dataflows.control.search import Place, places_of
from dataflows.control.sending import Sent, send_forget
from dataflows.settings import Settings
from tacit.contract.catalogue import Catalogue
from tacit.errors import ConfigurationError

Counts = dict[Kind, int]


def forget_verified(
    settings: Settings,
    user_id: str,
    facets: Sequence[str],
    look: Sequence[str],
    wait_s: float,
    *,
    number: str | None = None,
    send: Callable[[Settings], Sent] | None = None,
    on_sent: Callable[[Sent], object] | None = None,
) -> tuple[Carried, Receipt]:
    """Forget a user, search for traces, and store the receipt.

    Args:
        settings: source, Redis, state folder, audit and receipts.
        user_id: the user.
        facets: facets to forget; none: everything.
        look: further files, folders and topics to search.
        wait_s: limit of the wait for the effect.
        number: number of the receipt; None: a new one.
        send: function that sends the forget; None: `send_forget`.
        on_sent: as of `carry_out`.

    Raises:
        ConfigurationError: a name or a place is wrong; nothing was sent.
        NoEffectError: the effect is not visible in time; there is no receipt.
        TacitError: as `carry_out`; or a place cannot be searched.
    """
    needles, places = _needles(settings, user_id), places_of(settings, look)
    before = [place.count(needles) for place in places]
    send = send or partial(send_forget, user_id=user_id, facets=facets)
    done = carry_out(settings, "forget", user_id, send, wait_s, on_sent)
    terms = _terms(settings, needles.user, is_partial=bool(facets))
    receipt = Receipt(
        number=number or new_number(),
        region=settings.region,
        facets=tuple(facets) or None,
        sent_ms=done.sent.event.at,
        visible_ms=done.took_ms or 0.0,
        made_ms=terms.since_ms,
        commitment=commit(needles.user),
        searched=tuple(_searched(each, was, needles, terms) for each, was in zip(places, before, strict=True)),
        copies=tuple(copies_of(settings, terms.since_ms)),
    )
    store_receipt(settings, receipt)
    record(settings, "receipt", needles.user, "done", {"receipt": receipt.number})
    return done, receipt


def check_receipt(settings: Settings, place: str, user_id: str, look: Sequence[str]) -> tuple[Receipt, list[Searched]]:
    """Return a receipt, and a search of today in the places of the settings.

    Args:
        settings: Redis, state folder, audit and receipts.
        place: receipt number in the receipts of the settings, or the path of a file with receipts.
        user_id: the user.
        look: further files, folders and topics to search.

    Raises:
        ConfigurationError: there is no such receipt, or it is about another user.
        TacitError: a place cannot be searched, or the audit cannot be written.
    """
    needles = _needles(settings, user_id)
    with audited(settings, "receipt_check", needles.user) as entry:
        receipt = find_receipt(settings, place, needles.user)
        if not is_about(receipt, needles.user):
            raise ConfigurationError(
                [f"receipt: {receipt.number} is about another user, or was made under another secret; check both"]
            )
        entry.detail["receipt"] = receipt.number
        terms = _terms(settings, needles.user, is_partial=receipt.facets is not None, since_ms=receipt.made_ms)
        then = {each.place: each.after for each in receipt.searched}
        found = [_searched(each, then.get(each.name, {}), needles, terms) for each in places_of(settings, look)]
        entry.outcome = "clean" if all(each.is_clean for each in found) else "traces"
    return receipt, found


def _needles(settings: Settings, user_id: str) -> Needles:
    return needles_of(user_id, settings.secret_bytes, Catalogue.load(settings.catalogue).identity)


def _terms(settings: Settings, user: bytes, *, is_partial: bool, since_ms: int | None = None) -> Terms:
    with watching(settings, user) as watcher:
        gate = watcher.look().gate
    return Terms(
        since_ms=_now_ms() if since_ms is None else since_ms,
        erase_within_ms=round(settings.erase_within * 1000),
        tombstones_ms=settings.tombstones_ms,
        is_denied="denied" in {gate.learn.state, gate.use.state, gate.explore.state},
        is_partial=is_partial,
        cuts_ms=round(1000 * settings.upload_every * (settings.keep_cuts + 1)),
    )


def _searched(place: Place, before: Counts, needles: Needles, terms: Terms) -> Searched:
    after = place.count(needles)
    is_removed = any(number > after.get(kind, 0) for kind, number in before.items())
    return Searched(
        sort=place.sort,
        place=place.name,
        before=before,
        after=after,
        removed_ms=_now_ms() if is_removed else None,
        remains=tuple(remaining_in(place, after, terms)),
    )


def is_overdue(found: Searched, now_ms: int) -> bool:
    """Return whether something remains that should be gone by now, or that nothing explains."""
    return any(each.until == "time" and each.until_ms is not None and each.until_ms < now_ms for each in found.remains)


def _now_ms() -> int:
    return time_ns() // 1_000_000
