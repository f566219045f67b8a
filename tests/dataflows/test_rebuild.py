"""Rebuild of an empty Redis from a state folder: same values, and no newer ones."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from rich.console import Console

from connectors.files.remembered import read_inputs, write_inputs
from connectors.redis.client import RedisClient
from connectors.redis.namespaces import Namespaces
from dataflows.inspection import inspect
from dataflows.rebuild import Rebuilt, rebuild
from dataflows.settings import Settings
from state.catalogue.numbered import NumberedCatalogue
from state.counters import SinkCounters
from state.errors import SinkError
from tacit.contract.gates import GatePin
from tacit.contract.keys import RegionKeys
from tacit.contract.signals import STATUS, WIPED
from tacit.errors import ConfigurationError
from tacit_cli.views.summary import rebuilt_table
from tests.support.commands import tacit
from tests.support.folder_listing import everything_below
from tests.support.ports import free_port
from tests.support.rebuilds import (
    DENY,
    FORGET,
    GRANT,
    LIKED,
    PIN,
    UNPIN,
    Deployment,
    Event,
    decided,
    events_of,
    expiries,
    held,
    rebuild_into,
    versions,
)
from tests.support.replays import now_ms, redis_of_its_own, replay, write_history, write_lines

MINUTE_MS, DAY_MS = 60_000, 86_400_000
PANE_MS = 5 * MINUTE_MS
CLOCK_MS = 10_000
"""Tolerance of a time to live."""
START_MS = now_ms() - 2 * DAY_MS

STORIES: Mapping[str, list[Event]] = {
    "pinned": [GRANT, LIKED, PIN],
    "unpinned": [GRANT, LIKED, PIN, UNPIN],
    "opted-out": [GRANT, LIKED, PIN, DENY],
    "back-again": [GRANT, LIKED, PIN, DENY, GRANT],
    "forgotten": [GRANT, LIKED, PIN, FORGET],
}


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a history of 100 users and of the stories, and its state folder."""
    folder = tmp_path_factory.mktemp("history")
    write_history(folder / "events.jsonl")
    with redis_of_its_own() as (url, client):
        deployment = Deployment(url, client, folder)
        deployment.append(events_of(STORIES, START_MS))
        deployment.replay()
        (folder / "held.json").write_text(json.dumps(held(client)))
        (folder / "expiries.json").write_text(json.dumps(expiries(client)))
    return folder


@pytest.fixture
def emptied(state: Path, tmp_path: Path) -> Iterator[Deployment]:
    """Yield a deployment with a state folder and an empty Redis."""
    shutil.copytree(state, tmp_path, dirs_exist_ok=True)
    with redis_of_its_own() as (url, client):
        yield Deployment(url, client, tmp_path)


def test_rebuild_from_a_replay_that_has_not_ended_is_a_part_of_the_history(emptied: Deployment) -> None:
    """Readers do not move there before a rebuild from the finished replay."""
    known = read_inputs(emptied.folder / "state")
    assert known is not None
    with closing(RedisClient(emptied.url)) as client:
        namespaces = Namespaces(client, RegionKeys("eu"))
        for is_finished in (False, True):
            known.finished = is_finished
            write_inputs(emptied.folder / "state", known)
            rebuild_into(emptied.url, emptied.folder / "state", "shadow")
            if is_finished:
                namespaces.require_complete("shadow")
            else:
                with pytest.raises(ConfigurationError, match="shadow holds a part of a history"):
                    namespaces.require_complete("shadow")


def test_interrupted_rebuild_leaves_a_part_of_the_history(emptied: Deployment) -> None:
    """The same rebuild completes it."""

    def interrupt(share: float) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    with closing(RedisClient(emptied.url)) as client:
        namespaces = Namespaces(client, RegionKeys("eu"))
        inspected = inspect(emptied.folder / "state", NumberedCatalogue.load())
        with pytest.raises(KeyboardInterrupt):
            rebuild(inspected, Settings(embedded=True, redis=emptied.url), "shadow", interrupt)
        with pytest.raises(ConfigurationError, match="shadow holds a part of a history"):
            namespaces.require_complete("shadow")
        rebuild_into(emptied.url, emptied.folder / "state", "shadow")
        namespaces.require_complete("shadow")


def test_rebuild_restores_all_keys(emptied: Deployment) -> None:
    """Signals, pins, profiles, statuses and gates have the same value and tier, and no older version."""
    before = json.loads((emptied.folder / "held.json").read_text())
    done = emptied.rebuild()
    after = held(emptied.client)
    assert decided(after) == decided(before)
    old, new = versions(before), versions(after)
    assert all(new[field] >= old[field] for field in old)
    assert done["users"] == len({key.partition("{")[2] for key in before if key.endswith(":gate")})
    assert done["gates"] == done["users"]
    assert done["signals"] == {
        "applied": sum(name not in (STATUS, WIPED) for _, name in new),
        "stale": 0,
        "expired": 0,
        "gated": 0,
        "unwritable": 0,
    }


def test_rebuild_restores_pins_opt_outs_and_wipes(emptied: Deployment) -> None:
    """Pins stand in gates, an opt-out leaves a status, and a forget leaves no signal."""
    emptied.rebuild()
    pins = {user: emptied.gate(user).pins.get("length", GatePin(None, 0)).value for user in STORIES}
    assert pins == {
        "pinned": "detailed", "unpinned": None, "opted-out": "detailed", "back-again": "detailed", "forgotten": None,
    }  # fmt: skip
    assert emptied.read("pinned")["length"]["source"] == emptied.read("unpinned")["length"]["source"] == "learned"
    assert emptied.read("opted-out").keys() == {"_status"}
    assert emptied.read("forgotten") == {}
    assert emptied.gate("forgotten").wiped_ms == START_MS + 3 * MINUTE_MS


def test_rebuild_restores_times_to_live(emptied: Deployment) -> None:
    """A time to live is at most a pane of five minutes shorter; the status of an opt-out does not expire."""
    emptied.rebuild()
    before = json.loads((emptied.folder / "expiries.json").read_text())
    after = expiries(emptied.client)
    assert after.keys() == before.keys()
    assert after[emptied.signals("opted-out")] is None
    assert after[emptied.signals("pinned")] is not None
    for key, was_ms in before.items():
        is_ms = after[key]
        assert (is_ms is None) is (was_ms is None)
        assert is_ms is None or -PANE_MS - CLOCK_MS < is_ms - was_ms < CLOCK_MS


def test_second_rebuild_does_not_change_redis(emptied: Deployment) -> None:
    """All fields are stale."""
    first = emptied.rebuild()
    before = held(emptied.client)
    second = emptied.rebuild()
    assert held(emptied.client) == before
    assert second["signals"] == {**first["signals"], "applied": 0, "stale": first["signals"]["applied"]}


def test_run_after_a_rebuild_ends_like_an_undisturbed_run(emptied: Deployment) -> None:
    """Redis accepts the newer signals, and has the values of an undisturbed run."""
    more = [GRANT, *[LIKED] * 30, UNPIN]
    emptied.append(events_of(dict.fromkeys(STORIES, more), START_MS + DAY_MS))
    emptied.rebuild()
    before = held(emptied.client)
    emptied.replay()
    after = held(emptied.client)
    with redis_of_its_own() as (url, client):
        replay(url, "events.jsonl", "--namespace", "story", cwd=emptied.folder)
        assert decided(after) == decided(held(client))
    assert after != before
    assert emptied.read("forgotten")["length"]["value"] == "concise"


def test_newer_fields_stay(emptied: Deployment) -> None:
    """A rebuild from an older checkpoint changes no byte of Redis, and restores no wiped user."""
    shutil.copytree(emptied.folder / "state", emptied.folder / "older")
    emptied.rebuild()
    emptied.append(events_of({"pinned": [FORGET], "unpinned": [DENY], "back-again": [UNPIN]}, START_MS + DAY_MS))
    emptied.replay()
    before = held(emptied.client)
    emptied.rebuild("older")
    assert held(emptied.client) == before
    assert emptied.read("pinned") == {}
    assert emptied.read("unpinned").keys() == {"_status"}


def test_expired_fields_are_not_restored(tmp_path: Path) -> None:
    """The summary counts expired fields; pins in gates do not expire."""
    stories = {"long-ago": [GRANT, LIKED], "long-pinned": [GRANT, LIKED, PIN], "long-unpinned": [GRANT, PIN, UNPIN]}
    with redis_of_its_own() as (url, client):
        deployment = Deployment(url, client, tmp_path)
        write_lines(tmp_path / "events.jsonl", events_of(stories, now_ms() - 40 * DAY_MS))
        deployment.replay()
        client.flushall()
        done = deployment.rebuild()
        assert [len(deployment.read(user)) for user in stories] == [0, 0, 0]
        assert deployment.gate("long-pinned").pins["length"].value == "detailed"
    assert done["signals"]["expired"] == 3 + 3  # length, tone and _profile of two users


def test_rebuild_writes_to_another_namespace(emptied: Deployment) -> None:
    """An opt-out holds in both namespaces."""
    done = emptied.rebuild(namespace="shadow")
    assert done["namespace"] == "shadow"
    assert emptied.read("pinned") == {}
    assert emptied.client.hkeys(emptied.signals("pinned", "shadow"))
    assert emptied.client.hkeys(emptied.signals("opted-out", "shadow")) == ["_status"]


@pytest.mark.parametrize("source", ["files", "topic events"])
def test_state_with_more_events_of_the_same_time_is_written(source: str, tmp_path: Path) -> None:
    """As in a replay, the count of a user's events decides where event times are equal."""
    with redis_of_its_own() as (url, client):
        deployment = Deployment(url, client, tmp_path)
        write_lines(tmp_path / "events.jsonl", events_of({"ada": [GRANT, LIKED]}, START_MS))
        replay(url, "events.jsonl", "--state", "state", cwd=tmp_path)
        description = tmp_path / "state" / "tacit.json"
        description.write_text(json.dumps(json.loads(description.read_bytes()) | {"source": source}))
        key = deployment.signals("ada", "live")
        other = json.loads(client.hget(key, "length") or "") | {"v": f"{START_MS + MINUTE_MS}-0000000001"}
        client.hset(key, "length", json.dumps(other, separators=(",", ":")))
        done = deployment.rebuild()
    assert done["signals"]["applied"] == 1


def test_rebuild_does_not_write_to_the_folder(emptied: Deployment) -> None:
    """A rebuild only reads the folder, so workers may use it."""
    before = everything_below(emptied.folder)
    emptied.rebuild()
    assert everything_below(emptied.folder) == before


def test_unreachable_redis_is_an_error(emptied: Deployment) -> None:
    """The error precedes the first write."""
    with pytest.raises(SinkError, match="did not answer: the connection was refused"):
        rebuild_into(f"redis://127.0.0.1:{free_port()}", emptied.folder / "state")


def test_progress_rises_from_0_to_1(emptied: Deployment) -> None:
    """The share never falls."""
    shares: list[float] = []
    inspected = inspect(emptied.folder / "state", NumberedCatalogue.load())
    rebuild(inspected, Settings(embedded=True, redis=emptied.url), None, shares.append)
    assert shares == sorted(shares)
    assert 0 < shares[0] < 1 == shares[-1]


# Command


def test_command_prints_text_or_json(emptied: Deployment) -> None:
    """Text and JSON have the same numbers."""
    words = ("rebuild", "--state", "state", "--redis", emptied.url)
    done = tacit(*words, cwd=emptied.folder)
    assert (done.returncode, done.stderr) == (0, "")
    shown = {line[:24].strip(): line[24:].split()[0] for line in done.stdout.splitlines()}
    again = tacit(*words, "--json", cwd=emptied.folder)
    summary = json.loads(again.stdout)
    assert shown["users"] == str(summary["users"])
    assert shown["wipes and consent"] == str(summary["gates"])
    assert shown["signal fields written"] == str(summary["signals"]["stale"])
    assert (shown["there already"], summary["signals"]["applied"]) == ("0", 0)


@pytest.mark.parametrize(
    ("words", "expected", "status"),
    [
        ((), "tacit: state: is required; name the state folder by --state DIR", 2),
        (("--state", "nowhere"), "tacit: nowhere is no state folder: it has no tacit.json", 1),
    ],
)
def test_command_needs_a_state_folder(words: tuple[str, ...], expected: str, status: int, tmp_path: Path) -> None:
    """The error is one line with the remedy."""
    done = tacit("rebuild", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith(expected)
    assert len(done.stderr.splitlines()) == 1


def test_gated_and_unwritable_fields_are_shown() -> None:
    """Gated fields belong to wiped users; an unwritable one means a wrong clock or another program's key."""
    console = Console(width=120)
    with console.capture() as capture:
        console.print(rebuilt_table(Rebuilt("live", users=9, sink=SinkCounters(gated=2, unwritable=1))))
    shown = capture.get()
    assert re.search(r"^ +gated +2 +the user opted out or was wiped since", shown, re.MULTILINE)
    assert re.search(r"^ +unwritable +1 +a wrong clock", shown, re.MULTILINE)
