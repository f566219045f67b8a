"""The balance at the end: the state and Redis against the ledger, person by person and field by field."""

from collections.abc import Iterator, Mapping
from itertools import chain
from zlib import crc32

from tests.chaos.account import DENIED, IDS_KEPT, Account, Moment
from tests.chaos.findings import Finding, Kind
from tests.chaos.ledger import Ledger
from tests.chaos.redis_contents import PROFILE, STATUS, Field, Shown, places_of
from tests.chaos.state_contents import Held


def wrong_in_state(ledger: Ledger, held: Mapping[str, Held]) -> Iterator[Finding]:
    """Yield whoever's counts, windows, pins or consent are not what the ledger has."""
    for person in held.keys() - ledger.accounts.keys():
        yield _stranger(person)
    for person, account in ledger.accounts.items():
        if account.moments:
            yield from _wrong_with_state(person, account, held.get(person))


def wrong_in_midstream(ledger: Ledger, held: Mapping[str, Held]) -> Iterator[Finding]:
    """Yield whoever is not, while a run goes on, as the ledger has them at some moment."""
    for person, state in held.items():
        account = ledger.accounts.get(person)
        if account is None:
            yield _stranger(person)
            continue
        places = account.places.get(f"{state.clock_ms:013d}-{state.seq:010d}", [])
        if not any(state == _as_held(account, place, state) for place in places):
            yield Finding(Kind.WRONG, person, account.moments[places[-1]].event_id if places else "none", f"is {state}")


def _stranger(person: str) -> Finding:
    return Finding(Kind.WRONG, person, "none", "is in the state, and no event was about them")


def _wrong_with_state(person: str, account: Account, held: Held | None) -> Iterator[Finding]:
    now = account.moments[-1]
    if held is None:
        yield Finding(Kind.LOST, person, account.moments[0].event_id, "nothing is held of them")
        return
    if (held.wiped_ms, held.seq) != (now.wiped_ms, now.seq):
        fewer = (held.wiped_ms, held.seq) < (now.wiped_ms, now.seq)
        what = f"{held.seq} events since {held.wiped_ms} are counted, not {now.seq} since {now.wiped_ms}"
        yield Finding(Kind.LOST if fewer else Kind.DOUBLED, person, _first_missing(account, held), what)
        return
    expected = _as_held(account, len(account.moments) - 1, held)
    for name, ours, theirs in zip(Held._fields, expected, held, strict=True):
        if ours != theirs:
            yield Finding(Kind.WRONG, person, now.event_id, f"{name} is {theirs}, not {ours}")


def _as_held(account: Account, place: int, held: Held) -> Held:
    """Return a moment as the state holds it; ids are taken as they are held."""
    now = account.moments[place]
    words = now.wiped_ms, now.forgotten_ms, now.consent, now.consent_at_ms, now.pins
    return Held(now.clock_ms, now.seq, *words, account.windows(place), held.recent)


def _first_missing(account: Account, held: Held) -> str:
    """Return the first of the last events that the state does not remember, or in words that it was before those."""
    recent = account.moments[-min(IDS_KEPT, account.moments[-1].seq) :]
    missing = (moment.event_id for moment in recent if crc32(moment.event_id.encode()) not in held.recent)
    return next(missing, f"before {recent[0].event_id}")


def wrong_in_redis(ledger: Ledger, shown: Mapping[str, Shown], *, again: bool) -> Iterator[Finding]:
    """Yield each gate and field that is not what was said last; with `again`, it may have been said again later."""
    for person, account in ledger.accounts.items():
        found = shown[person]
        if account.gate != found.gate:
            last = account.moments[-1].event_id if account.moments else "none"
            yield Finding(Kind.WRONG, person, last, f"the gate is {found.gate}, not {account.gate}")
        for name in sorted({*found.fields, *said_last(account)}):
            yield from _wrong_with_field(person, account, name, found.fields.get(name), again)


def said_last(account: Account) -> dict[str, int]:
    """Return the place of the moment at which each field was said last; of what is learned, the earliest that can be.

    What the person never pinned may have been learned at any moment, or at none.
    """
    if not account.moments:
        return {}
    now, end = account.moments[-1], len(account.moments)
    if now.consent == DENIED:
        return {STATUS: 0}
    since_wipe = range(end - now.seq, end)
    return dict(chain.from_iterable(_fields_said(account.moments[place], place) for place in since_wipe))


def _fields_said(moment: Moment, place: int) -> Iterator[tuple[str, int]]:
    if moment.says_profile:
        yield PROFILE, place
    for facet in moment.says_pins:
        yield facet, place


def _wrong_with_field(person: str, account: Account, name: str, field: Field | None, again: bool) -> Iterator[Finding]:
    said = said_last(account).get(name)
    first = account.moments[said or 0]
    if field is None:
        yield Finding(Kind.LOST, person, first.event_id, f"{name} is missing")
        return
    places = places_of(account, name, field, again=again)
    now = account.moments[-1]
    if (
        not places
        or account.moments[places[-1]].wiped_ms != now.wiped_ms
        or (name == STATUS) != (now.consent == DENIED)
    ):
        yield Finding(Kind.WRONG, person, first.event_id, f"no event says {name} of version {field['v']}")
    elif said is not None and places[-1] < said:
        what = f"{name} is of version {field['v']}, which is older than {first.version}"
        yield Finding(Kind.OLDER, person, first.event_id, what)
