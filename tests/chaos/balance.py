"""Final balance: state and Redis compared with the ledger, for each user and each field."""

from collections.abc import Iterator, Mapping
from zlib import crc32

from tests.chaos.account import DENIED, IDS_KEPT, Account
from tests.chaos.findings import Finding, Kind
from tests.chaos.ledger import Ledger
from tests.chaos.redis_contents import PROFILE, STATUS, Field, Shown, places_of
from tests.chaos.state_contents import Held


def wrong_in_state(ledger: Ledger, held: Mapping[str, Held]) -> Iterator[Finding]:
    """Yield a finding for each user whose counts, windows, pins or consent differ from the ledger."""
    for user in held.keys() - ledger.accounts.keys():
        yield _unknown_user(user)
    for user, account in ledger.accounts.items():
        if account.moments:
            yield from _wrong_with_state(user, account, held.get(user))


def wrong_in_midstream(ledger: Ledger, held: Mapping[str, Held]) -> Iterator[Finding]:
    """Yield a finding for each user that equals no moment of the ledger; for use during a run."""
    for user, state in held.items():
        account = ledger.accounts.get(user)
        if account is None:
            yield _unknown_user(user)
            continue
        places = account.places.get(f"{state.clock_ms:013d}-{state.seq:010d}", [])
        if not any(state == _as_held(account, place, state) for place in places):
            yield Finding(Kind.WRONG, user, account.moments[places[-1]].event_id if places else "none", f"is {state}")


def _unknown_user(user: str) -> Finding:
    return Finding(Kind.WRONG, user, "none", "is in the state but in no event")


def _wrong_with_state(user: str, account: Account, held: Held | None) -> Iterator[Finding]:
    now = account.moments[-1]
    if held is None:
        yield Finding(Kind.LOST, user, account.moments[0].event_id, "is missing in the state")
        return
    if (held.wiped_ms, held.seq) != (now.wiped_ms, now.seq):
        fewer = (held.wiped_ms, held.seq) < (now.wiped_ms, now.seq)
        what = f"{held.seq} events since {held.wiped_ms} are counted, expected {now.seq} since {now.wiped_ms}"
        yield Finding(Kind.LOST if fewer else Kind.DOUBLED, user, _first_missing(account, held), what)
        return
    expected = _as_held(account, len(account.moments) - 1, held)
    for name, ours, theirs in zip(Held._fields, expected, held, strict=True):
        if ours != theirs:
            yield Finding(Kind.WRONG, user, now.event_id, f"{name} is {theirs}, expected {ours}")


def _as_held(account: Account, place: int, held: Held) -> Held:
    """Return a moment in the form of the state, with the ids of the state."""
    now = account.moments[place]
    control = now.wiped_ms, now.forgotten_ms, now.consent, now.consent_at_ms, now.pins
    return Held(now.clock_ms, now.seq, *control, account.windows(place), held.recent)


def _first_missing(account: Account, held: Held) -> str:
    """Return the first recent event that the state lacks, or "before" and the first recent event."""
    since_wipe = account.moments[len(account.moments) - account.moments[-1].seq :]
    recent = [moment for moment in since_wipe if not moment.is_control][-IDS_KEPT:] or since_wipe[:1]
    missing = (moment.event_id for moment in recent if crc32(moment.event_id.encode()) not in held.recent)
    return next(missing, f"before {recent[0].event_id}")


def wrong_in_redis(ledger: Ledger, shown: Mapping[str, Shown], *, again: bool) -> Iterator[Finding]:
    """Yield a finding for each gate and field that differs from the last emitted one.

    With `again`, a rebuild may have emitted a field again later.
    """
    for user, account in ledger.accounts.items():
        found = shown[user]
        if account.gate != found.gate:
            last = account.moments[-1].event_id if account.moments else "none"
            yield Finding(Kind.WRONG, user, last, f"the gate is {found.gate}, expected {account.gate}")
        for name in sorted({*found.fields, *last_emitted(account)}):
            yield from _wrong_with_field(user, account, name, found.fields.get(name), again)


def last_emitted(account: Account) -> dict[str, int]:
    """Return the index of the moment that emitted each field last.

    Facets are left out: learned signals may be emitted at any moment.
    """
    if not account.moments:
        return {}
    now, end = account.moments[-1], len(account.moments)
    if now.consent == DENIED:
        return {STATUS: 0}
    profiles = [place for place in range(end - now.seq, end) if account.moments[place].emits_profile]
    return {PROFILE: profiles[-1]} if profiles else {}


def _wrong_with_field(user: str, account: Account, name: str, field: Field | None, again: bool) -> Iterator[Finding]:
    emitted = last_emitted(account).get(name)
    first = account.moments[emitted or 0]
    if field is None:
        yield Finding(Kind.LOST, user, first.event_id, f"{name} is missing")
        return
    places = places_of(account, name, field, again=again)
    now = account.moments[-1]
    if (
        not places
        or account.moments[places[-1]].wiped_ms != now.wiped_ms
        or (name == STATUS) != (now.consent == DENIED)
    ):
        yield Finding(Kind.WRONG, user, first.event_id, f"no event emits {name} with version {field['v']}")
    elif emitted is not None and places[-1] < emitted:
        what = f"{name} has version {field['v']}, older than {first.version}"
        yield Finding(Kind.OLDER, user, first.event_id, what)
