"""Whole runs that learn of everybody: versions in Redis and in the state folder, and what strangers are told."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import redis

from state.catalogue.numbered import NumberedCatalogue
from state.learning.population_version import PopulationVersion, decode_version
from tacit.reader.reader import SignalReader
from tests.support.commands import SECRET, everything_in, running, tacit
from tests.support.factories import make_event
from tests.support.replays import now_ms, redis_of_its_own, replay, write_history, write_lines

PREFIX = "tacit:v1:eu:{live}:"
LEARN = ("--population", "learn")


class Run(NamedTuple):
    """What a replay that learned has left."""

    folder: Path
    url: str
    client: redis.Redis
    summary: dict[str, Any]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Give a history of about 2,600 judgements that was learned from, with a state folder."""
    folder = tmp_path_factory.mktemp("learned")
    write_history(folder / "events.jsonl", users=120, turns=6_000)
    with redis_of_its_own() as (url, client):
        summary = replay(url, "events.jsonl", "--state", "state", *LEARN, cwd=folder)
        yield Run(folder, url, client, summary)


def newest(client: redis.Redis, prefix: str = PREFIX) -> PopulationVersion:
    held = everything_in(client)
    version: str = held[f"{prefix}population:{held[f'{prefix}population']}"]
    return decode_version(version.encode())


def by_of(held: dict[str, Any], *, namespace: str = "live") -> set[str]:
    """Return what decided, of all signals of people."""
    return {
        json.loads(said)["by"]
        for key, fields in held.items()
        if key.startswith(f"tacit:v1:eu:{namespace}:") and key.endswith(":signals")
        for name, said in fields.items()
        if not name.startswith("_")
    }


# What a run leaves


def test_every_thousand_judgements_and_the_end_make_a_version(run: Run) -> None:
    """In Redis, in the folder and in the summary, the same."""
    version, told = newest(run.client), run.summary["population"]
    assert told == {"examples": version.examples, "version": version.n}
    assert version.n == -(-version.examples // 1_000) == 3
    assert {"bias", "judged:0", "length=concise", "format=table"} <= set(version.terms)
    assert decode_version((run.folder / "state" / "population.json").read_bytes()) == version
    assert version.scores is not None
    assert version.scores.log_loss < version.scores.constant_log_loss


def test_signals_say_which_version_decided(run: Run) -> None:
    """Those of before the first one say that there was none."""
    found = by_of(everything_in(run.client))
    assert {"m2.c1.p0", "m2.c1.p2"} <= found <= {f"m2.c1.p{n}" for n in range(4)}


def test_stranger_is_told_what_suits_people(run: Run) -> None:
    """The reader gives it to anybody of whom nothing is known, facet by facet."""
    with SignalReader(run.url, region="eu", secret=SECRET) as reader:
        stranger = reader.get("u:never-seen")
    assert list(stranger.defaults) == list(NumberedCatalogue.load().facets)
    assert {signal.source for signal in stranger.defaults.values()} == {"population"}
    assert {signal.by for signal in stranger.defaults.values()} == {"m2.c1.p3"}
    choice = stranger.choose(unit="conversation-1")
    assert set(choice.values) == set(stranger.defaults)


def test_version_names_nobody_and_no_term_of_few(run: Run) -> None:
    """Nor does the file; what is in it are the catalogue's words and numbers."""
    version = newest(run.client)
    catalogue = NumberedCatalogue.load()
    values = {f"{name}={value}" for name, facet in catalogue.facets.items() for value in facet.values}
    for term in version.terms:
        context, _, value = term.rpartition("&")
        assert term in {"bias"} | {f"judged:{n}" for n in range(11)} or value in values
        assert context.partition(":")[0] in {"", "topic", "surface"}
        assert context.partition(":")[2] not in catalogue.topics.sensitive


def test_next_run_goes_on_from_the_folder(run: Run, tmp_path: Path) -> None:
    """With its number, also where Redis has lost everything."""
    more = write_lines(tmp_path / "more.jsonl", judgements("later", people=30, each=8, at_ms=now_ms() - 60_000))
    before = decode_version((run.folder / "state" / "population.json").read_bytes())
    shutil.copytree(run.folder / "state", tmp_path / "state")
    with redis_of_its_own() as (url, client):
        replay(url, run.folder / "events.jsonl", more, "--state", "state", *LEARN, cwd=tmp_path)
        version = newest(client)
    assert version.n == before.n + 1
    assert version.examples == before.examples + 240


@pytest.mark.parametrize("processes", [1, 2])
def test_killed_run_learns_from_every_judgement_once(processes: int, tmp_path: Path) -> None:
    """What had been published stays as it was, and numbers only rise."""
    write_history(tmp_path / "events.jsonl", users=150, turns=20_000)
    words = ["events.jsonl", "--state", "state", "--checkpoint-every", "1", "--processes", str(processes), *LEARN]
    with redis_of_its_own() as (url, client):
        replay(url, "events.jsonl", *LEARN, cwd=tmp_path)
        undisturbed = newest(client)
    with redis_of_its_own() as (url, client):
        with running(["replay", *words, "--redis", url], tmp_path / "log") as run:
            run.wait_for(lambda: int(everything_in(client).get(f"{PREFIX}population", 0)) > 1, "two versions")
            run.kill()
        before = everything_in(client)
        done = replay(url, *words, cwd=tmp_path)
        held = everything_in(client)
        version = newest(client)
    assert done["stopped"] is False
    assert version.examples == undisturbed.examples
    assert version.n >= undisturbed.n
    kept = {key: content for key, content in before.items() if f"{PREFIX}population:" in key and key in held}
    assert kept == {key: held[key] for key in kept}


def test_rebuild_brings_the_population_back(run: Run) -> None:
    """With what strangers are told."""
    with redis_of_its_own() as (url, client):
        done = tacit("rebuild", "--state", "state", "--redis", url, cwd=run.folder, TACIT_POPULATION="learn")
        assert (done.returncode, done.stderr) == (0, "")
        for key in ("population", "population:3", "defaults"):
            assert everything_in(client)[PREFIX + key] == everything_in(run.client)[PREFIX + key]


# Who is learned from


def judgements(name: str, *, people: int, each: int, at_ms: int, **fields: Any) -> Iterator[dict[str, Any]]:
    """Yield the events of people who consent, and like tables."""
    for person in range(people):
        who = f"u:{name}-{person}"
        yield make_event(event_id=f"{who}-c", user_id=who, at=at_ms - 1, type="consent", granted=True)
        for turn in range(each):
            yield make_event(
                event_id=f"{who}-{turn}", turn_id=f"{who}-{turn}", user_id=who, at=at_ms + turn,
                served={"format": "table"}, feedback={"kind": "thumbs_up"}, **fields,
            )  # fmt: skip


@pytest.mark.parametrize(("people", "is_published"), [(20, True), (19, False)])
def test_twenty_people_make_a_term_public(people: int, is_published: bool, tmp_path: Path) -> None:
    """And nineteen do not, however much they judge."""
    write_lines(tmp_path / "events.jsonl", judgements("few", people=people, each=40, at_ms=now_ms() - 60_000))
    with redis_of_its_own() as (url, client):
        replay(url, "events.jsonl", *LEARN, cwd=tmp_path)
        assert ("format=table" in newest(client).terms) is is_published


def test_who_does_not_consent_or_is_sensitive_is_not_learned_from(tmp_path: Path) -> None:
    """A hundred judgements of each, and no version comes of it."""
    at_ms = now_ms() - 60_000
    denied = [e for e in judgements("denied", people=30, each=10, at_ms=at_ms) if e["type"] != "consent"]
    ill = judgements("ill", people=30, each=10, at_ms=at_ms, topic="health")
    write_lines(tmp_path / "events.jsonl", [*denied, *ill])
    with redis_of_its_own() as (url, client):
        summary = replay(url, "events.jsonl", *LEARN, cwd=tmp_path)
        assert (summary["accepted"], summary["population"]) == (330, {"examples": 0, "version": 0})
        assert not [key for key in everything_in(client) if "population" in key or "defaults" in key]


# Without it, and with a version that is kept to


def test_none_believes_nothing_of_anybody(run: Run, tmp_path: Path) -> None:
    """No key, no file, and every signal says so."""
    with redis_of_its_own() as (url, client):
        replay(url, run.folder / "events.jsonl", "--state", "state", "--population", "none", cwd=tmp_path)
        held = everything_in(client)
    assert by_of(held) == {"m2.c1.p0"}
    assert not [key for key in held if "population" in key or "defaults" in key]
    assert not (tmp_path / "state" / "population.json").exists()


def test_version_that_is_kept_to_gives_the_same_bytes_in_any_number_of_processes(run: Run, tmp_path: Path) -> None:
    """A shadow namespace beside the live one takes it from there, and is told apart by nothing."""
    for namespace, processes in (("one", 1), ("two", 2)):
        words = ("--namespace", namespace, "--population", 2, "--processes", processes)
        replay(run.url, run.folder / "events.jsonl", *words, cwd=tmp_path)
    held = everything_in(run.client)
    one, two = (
        {key.split(":", 4)[4]: content for key, content in held.items() if key.split(":")[3].strip("{}") == name}
        for name in ("one", "two")
    )
    assert by_of(held, namespace="one") == {"m2.c1.p2"}
    assert one == two
    assert len(one) > 100


def test_version_that_is_not_kept_is_refused(run: Run) -> None:
    """In one line, with what there is."""
    done = tacit("replay", "events.jsonl", "--redis", run.url, "--population", "77", cwd=run.folder)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "version 77 is not kept in namespace live (the newest is 3)" in line
