"""Dry run: the figures of a replay, and no write anywhere."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support.commands import everything_in, tacit
from tests.support.folder_listing import everything_below as listing
from tests.support.replays import redis_of_its_own, replay, write_history, write_lines

READS = {"GET", "HGETALL", "HELLO", "PING", "AUTH", "SELECT", "CLIENT", "CLUSTER"}


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of events, bad lines included."""
    folder = tmp_path_factory.mktemp("history")
    write_history(folder / "events.jsonl", users=60, turns=3_000)
    return write_lines(folder / "all.jsonl", [b"no event", *(folder / "events.jsonl").read_bytes().splitlines()])


def _signals_in(client: redis.Redis, namespace: str) -> dict[str, dict[str, int]]:
    """Return the number of signals by facet and tier."""
    found: dict[str, dict[str, int]] = {}
    for key, fields in everything_in(client).items():
        if f":{namespace}:" in key and key.endswith(":signals"):
            for facet, text in fields.items():
                if not facet.startswith("_"):
                    tiers = found.setdefault(facet, {"default": 0, "hint": 0, "apply": 0})
                    tiers[json.loads(text)["tier"]] += 1
    return found


def _users_in(client: redis.Redis) -> int:
    return sum(
        any(not facet.startswith("_") for facet in fields)
        for key, fields in everything_in(client).items()
        if key.endswith(":signals")
    )


@contextmanager
def _monitored(url: str, client: redis.Redis) -> Iterator[list[str]]:
    """Yield the commands that the server gets, complete at the end."""
    seen: list[str] = []
    with redis.Redis.from_url(url, decode_responses=True, socket_timeout=None) as another, another.monitor() as monitor:

        def listen() -> None:
            for command in monitor.listen():
                if "END-OF-TEST" in command["command"]:
                    return
                seen.append(command["command"])

        thread = threading.Thread(target=listen)
        thread.start()
        yield seen
        client.echo("END-OF-TEST")
        thread.join(30)


@pytest.mark.parametrize("words", [(), ("--processes", "2"), ("--namespace", "shadow")])
def test_dry_run_has_the_figures_of_the_replay(words: tuple[str, ...], history: Path, tmp_path: Path) -> None:
    """Users, signals by facet and tier, gates and rejects are those of a replay, before and after it."""
    with redis_of_its_own() as (url, client):
        dry = replay(url, history, "--dry-run", *words, cwd=tmp_path)
        assert everything_in(client) == {}
        real = replay(url, history, *words, cwd=tmp_path)
        again = replay(url, history, "--dry-run", *words, cwd=tmp_path)
        namespace = "shadow" if "shadow" in words else "live"
        assert dry["signals_that_would_be"] == _signals_in(client, namespace)
        assert dry["users_with_signals"] == _users_in(client)
    for member in ("read", "accepted", "duplicate", "unconsented", "rejected", "gates", "users"):
        assert dry[member] == real[member], member
    assert dry["signals"] == real["signals"] or "2" in words  # how often a field is written depends on the batches
    assert dry["dry_run"]
    assert not real["dry_run"]
    assert (again["signals"]["applied"], again["signals"]["stale"] > 0) == (0, True)


@pytest.mark.parametrize("population", ["learn", "none"])
def test_dry_run_writes_nothing(population: str, history: Path, tmp_path: Path) -> None:
    """Redis gets reads only, and no file appears, neither rejects nor state."""
    with redis_of_its_own() as (url, client):
        replay(url, history, "--namespace", "shadow", cwd=history.parent)
        before, files = everything_in(client), listing(tmp_path)
        with _monitored(url, client) as commands:
            words = ("replay", str(history), "--dry-run", "--redis", url, "--state", "state", "--json")
            done = tacit(*words, cwd=tmp_path, TACIT_POPULATION=population)
        assert done.returncode == 0, done.stderr
        assert everything_in(client) == before
    assert listing(tmp_path) == files
    assert {command.split()[0].upper() for command in commands} <= READS


def test_dry_run_needs_no_right_to_write(history: Path, tmp_path: Path) -> None:
    """The rights of the auditor are enough."""
    with redis_of_its_own() as (url, client):
        rights = ["-@all", "+hgetall", "+get", "+ping", "+hello", "+auth", "+select", "+cluster|slots"]
        client.execute_command("ACL", "SETUSER", "default", *rights)
        summary = replay(url, history, "--dry-run", cwd=tmp_path)
    assert summary["signals"]["applied"] > 100


def test_dry_run_of_a_used_state_folder_is_an_error(history: Path, tmp_path: Path) -> None:
    """The run would resume there, and a dry run cannot."""
    with redis_of_its_own() as (url, _):
        replay(url, history, "--state", "state", cwd=tmp_path)
        done: Any = tacit("replay", str(history), "--dry-run", "--state", "state", "--redis", url, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "tacit: dry_run: state has a replay, which a dry run cannot resume; run it without --state\n"
    )
