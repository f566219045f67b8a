"""Traces that remain: each has an end, or the reason for none."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from dataflows.control.copies import Terms, copies_of, remaining_in
from dataflows.control.receipts import Kind, Remaining, Searched, Sort
from dataflows.control.search import Place
from dataflows.control.verified import is_overdue
from dataflows.settings import load

NOW, ERASED, REMEMBERED = 1_000, 1_900, 9_000
TERMS = Terms(since_ms=NOW, erase_within_ms=900, tombstones_ms=8_000, is_denied=False, is_partial=False, cuts_ms=50)


def remaining(sort: Sort, kind: Kind, terms: Terms = TERMS) -> Remaining:
    def nothing(_: object) -> Iterator[object]:
        return iter(())

    place = Place(sort, "place", nothing)  # type: ignore[arg-type]  # is not searched here
    [found] = remaining_in(place, {kind: 2}, terms)
    return found


@pytest.mark.parametrize(
    ("sort", "kind", "until", "until_ms"),
    [
        ("redis", "tombstone", "time", REMEMBERED),
        ("redis", "learned", "time", NOW),
        ("state", "tombstone", "time", REMEMBERED),
        ("state", "pseudonym", "time", REMEMBERED),
        ("state", "learned", "time", ERASED),
        ("state", "pins", "time", ERASED),
        ("state", "unreadable", "unknown", None),
        ("cuts", "tombstone", "time", REMEMBERED),
        ("cuts", "learned", "time", ERASED + 50),
        ("cuts", "unreadable", "unknown", None),
        ("look", "id", "operator", None),
        ("look", "pseudonym", "operator", None),
    ],
)
def test_a_trace_has_an_end(sort: Sort, kind: Kind, until: str, until_ms: int | None) -> None:
    """By the settings of the deployment."""
    found = remaining(sort, kind)
    assert (found.what, found.until, found.until_ms) == (f"{kind}: 2", until, until_ms)


def test_a_no_has_no_end() -> None:
    """It is the user's decision about the future."""
    denied = Terms(since_ms=NOW, erase_within_ms=900, tombstones_ms=8_000, is_denied=True, is_partial=False)
    assert remaining("redis", "tombstone", denied).until == "never"
    assert remaining("state", "learned", denied).until_ms == ERASED


def test_other_facets_stay_after_a_forget_of_some() -> None:
    """The reason is in the receipt."""
    partial = Terms(since_ms=NOW, erase_within_ms=900, tombstones_ms=8_000, is_denied=False, is_partial=True)
    assert remaining("state", "learned", partial).why == "the forget names facets, and the others stay"


def test_a_trace_is_overdue_after_its_time() -> None:
    """Not before, and a trace without a time never is."""
    state = Searched(sort="state", place="a", before={}, after={"learned": 2}, remains=(remaining("state", "learned"),))
    assert not is_overdue(state, ERASED)
    assert is_overdue(state, ERASED + 1)
    assert not is_overdue(replace(state, remains=(remaining("look", "id"),)), REMEMBERED * 9)


def test_copies_name_what_no_search_reaches(tmp_path: Path, redis_url: str) -> None:
    """Source, Redis' files, backups."""
    settings = load({"source": str(tmp_path / "events.jsonl"), "redis": redis_url, "embedded": True})
    found = [(each.what.removesuffix(str(settings.source)), each.until) for each in copies_of(settings, NOW)]
    assert found[0] == ("events of the user in ", "operator")
    assert [what for what, _ in found[1:]] == ["deleted keys in files of Redis", "backups and disk snapshots"]


def test_copies_without_redis_are_unknown(tmp_path: Path) -> None:
    """No error: the receipt shows it."""
    settings = load({"source": str(tmp_path / "events.jsonl"), "redis": "redis://localhost:1", "embedded": True})
    assert [each.until for each in copies_of(settings, NOW)] == ["operator", "unknown", "unknown"]
