"""Fillings of a namespace on a real Redis: a mark from the first write to the end, and the way of reading."""

from collections.abc import Iterator
from contextlib import closing

import pytest
import redis

from connectors.redis.client import RedisClient
from connectors.redis.fillings import Filled, Filling, Fillings
from connectors.redis.ownership import OWNERSHIP_SCRIPTS, NamespaceOwner
from tacit.contract.keys import RegionKeys

KEYS = RegionKeys("eu")
OWNER = KEYS.within("shadow").owner


@pytest.fixture
def owner(redis_url: str) -> Iterator[NamespaceOwner]:
    with closing(NamespaceOwner(RedisClient(redis_url, scripts=OWNERSHIP_SCRIPTS), KEYS, "shadow")) as opened:
        yield opened


@pytest.fixture
def fillings(owner: NamespaceOwner) -> Fillings:
    return owner.fillings


def test_mark_lasts_from_the_begin_to_the_end(fillings: Fillings, redis_client: redis.Redis) -> None:
    """A resumed filling begins again with the same mark."""
    assert fillings.read() == Filled()
    filling = Filling("folder", "inputs")
    for _ in range(2):
        fillings.begin(filling)
        assert fillings.read() == Filled(is_unfinished=True)
    fillings.end(filling)
    assert fillings.read() == Filled()
    assert redis_client.hgetall(OWNER) == {"goes": "one"}


def test_end_of_another_filling_leaves_the_mark(fillings: Fillings) -> None:
    """One over other inputs, or over some users, does not complete the first; one over the same inputs does."""
    fillings.begin(Filling("", "history"))
    fillings.begin(Filling("folder", "some users"))
    fillings.end(Filling("folder", "some users"))
    assert fillings.read().is_unfinished
    fillings.end(Filling("folder", "history"))
    assert not fillings.read().is_unfinished


def test_rest_of_a_history_does_not_complete_the_namespace(fillings: Fillings) -> None:
    """Also when the replay resumes once more; a filling of the whole does: a rebuild, or a replay that starts over."""
    rest = Filling("folder", "history", continues=True)
    for is_rest in (True, False):
        fillings.begin(rest, is_rest=is_rest)
        fillings.end(rest)
        assert fillings.read().is_unfinished
    for whole in (Filling("folder", "folder"), Filling("folder", "history"), Filling("other", "history")):
        fillings.begin(rest, is_rest=True)
        fillings.begin(whole)
        fillings.end(whole)
        assert not fillings.read().is_unfinished


def test_end_without_a_begin_leaves_no_key(fillings: Fillings, redis_client: redis.Redis) -> None:
    """A replay without a write does not make a namespace."""
    fillings.end(Filling("folder", "inputs"))
    assert redis_client.keys() == []


def test_several_goes_last_until_another_filling(fillings: Fillings) -> None:
    """One that starts over reads the history in one go."""
    fillings.begin(Filling("folder", "inputs", "several"))
    fillings.end(Filling("folder", "inputs", "several"))
    assert fillings.read() == Filled(in_several_goes=True)
    fillings.begin(Filling("folder", "inputs"))
    assert not fillings.read().in_several_goes


@pytest.mark.parametrize("adds", [False, True])
def test_rebuild_is_remembered_until_a_live_run(adds: bool, fillings: Fillings) -> None:
    """Its versions are the newest of each user, so a replay after it does not replace its signals."""
    rebuild = Filling("folder", "folder", "rebuilt")
    if adds:
        fillings.note_rebuild()
    else:
        fillings.begin(rebuild)
        fillings.end(rebuild)
    assert fillings.read() == Filled(is_rebuilt=True)
    fillings.begin(Filling("", "inputs"))
    fillings.end(Filling("", "inputs"))
    assert fillings.read() == Filled(is_rebuilt=True)
    fillings.complete_live(fillings.take_live(is_new=False))
    assert fillings.read() == Filled(is_live=True)


@pytest.mark.parametrize("is_new", [False, True])
def test_live_run_takes_marks_away_once_it_has_caught_up(is_new: bool, owner: NamespaceOwner) -> None:
    """It continues with the rest of the history, and is known after its end; a later filling keeps its mark."""
    if not is_new:
        owner.fillings.begin(Filling("folder", "inputs", "several"))
    owner.take(b"run", "folder")
    marks = owner.fillings.take_live(is_new=is_new)
    assert owner.fillings.read() == Filled(is_live=True, is_unfinished=True)
    owner.fillings.begin(Filling("other", "inputs", "live"))
    owner.fillings.complete_live(marks)
    assert owner.fillings.read().is_unfinished
    owner.fillings.end(Filling("other", "inputs", "live"))
    assert owner.fillings.read() == Filled(is_live=True)
    owner.release(b"run")
    assert owner.fillings.read() == Filled(is_live=True)
