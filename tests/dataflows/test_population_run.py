"""Runs that train the population model: versions in Redis and in the state folder, and default signals."""

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
from tests.support.replays import left_by, now_ms, redis_of_its_own, replay, write_history, write_lines

PREFIX = "tacit:v1:eu:{live}:"
LEARN = ("--population", "learn")


class Run(NamedTuple):
    """Folder, Redis and summary after a replay with training."""

    folder: Path
    url: str
    client: redis.Redis
    summary: dict[str, Any]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Yield a replay of about 2,600 feedback events, with a state folder."""
    folder = tmp_path_factory.mktemp("learned")
    write_history(folder / "events.jsonl", users=120, turns=6_000)
    with redis_of_its_own() as (url, client):
        summary = replay(url, "events.jsonl", "--state", "state", *LEARN, cwd=folder)
        yield Run(folder, url, client, summary)


VERSIONS = 9
"""Versions of the run: of each round with 250 feedback events since the last version, and one at the end."""


def newest(client: redis.Redis, prefix: str = PREFIX) -> PopulationVersion:
    held = everything_in(client)
    version: str = held[f"{prefix}population:{held[f'{prefix}population']}"]
    return decode_version(version.encode())


def deciding_models(held: dict[str, Any], *, namespace: str = "live") -> set[str]:
    """Return the member `by` of all signals of users."""
    return {
        json.loads(signal)["by"]
        for key, fields in held.items()
        if key.startswith(f"tacit:v1:eu:{namespace}:") and key.endswith(":signals")
        for name, signal in fields.items()
        if not name.startswith("_")
    }


# Results of a run


def test_young_population_publishes_by_rounds_and_at_the_end(run: Run) -> None:
    """Redis, the folder and the summary have the same version."""
    version, summary = newest(run.client), run.summary["population"]
    assert summary == {"examples": version.examples, "limited": 0, "version": version.n}
    assert version.n == VERSIONS
    assert {"bias", "judged:0", "length=concise", "format=table"} <= set(version.features)
    assert decode_version((run.folder / "state" / "population.json").read_bytes()) == version
    assert version.scores is None


def test_signals_have_the_number_of_their_population_version(run: Run) -> None:
    """Signals before the first version have the number 0."""
    found = deciding_models(everything_in(run.client))
    assert {"m3.c1.p0", "m3.c1.p2"} < found <= {f"m3.c1.p{n}" for n in range(VERSIONS + 1)}


def test_unknown_user_gets_the_defaults_of_the_population(run: Run) -> None:
    """The reader returns a default for each facet of a user without signals."""
    with SignalReader(run.url, region="eu", secret=SECRET) as reader:
        unknown = reader.get("u:never-seen")
    assert list(unknown.defaults) == list(NumberedCatalogue.load().facets)
    assert {signal.source for signal in unknown.defaults.values()} == {"population"}
    assert {signal.by for signal in unknown.defaults.values()} == {f"m3.c1.p{VERSIONS}"}
    choice = unknown.choose(unit="conversation-1")
    assert set(choice.values) == set(unknown.defaults)


def test_version_has_no_user_and_no_rare_term(run: Run) -> None:
    """A version has names of the catalogue and numbers only."""
    version = newest(run.client)
    catalogue = NumberedCatalogue.load()
    values = {f"{name}={value}" for name, facet in catalogue.facets.items() for value in facet.values}
    for feature in version.features:
        context, _, value = feature.rpartition("&")
        value = value.removeprefix("default:")
        assert feature in {"bias"} | {f"judged:{n}" for n in range(11)} or value in values
        assert context.partition(":")[0] in {"", "topic", "surface"}
        assert context.partition(":")[2] not in catalogue.topics.sensitive


def test_next_run_resumes_from_the_folder(run: Run, tmp_path: Path) -> None:
    """The next version continues the numbers, also with an empty Redis."""
    more = write_lines(tmp_path / "more.jsonl", feedback("later", users=30, each=8, at_ms=now_ms() - 60_000))
    before = decode_version((run.folder / "state" / "population.json").read_bytes())
    shutil.copytree(run.folder / "state", tmp_path / "state")
    with redis_of_its_own() as (url, client):
        replay(url, run.folder / "events.jsonl", more, "--add-files", "--state", "state", *LEARN, cwd=tmp_path)
        version = newest(client)
    assert version.n == before.n + 1
    assert version.examples == before.examples + 240


def test_resumed_run_without_a_new_version_counts_the_last_one(run: Run, tmp_path: Path) -> None:
    """In the summary, as in /metrics."""
    more = write_lines(tmp_path / "more.jsonl", feedback("later", users=3, each=3, at_ms=now_ms() - 60_000))
    shutil.copytree(run.folder / "state", tmp_path / "state")
    with redis_of_its_own() as (url, _):
        words = (run.folder / "events.jsonl", more, "--add-files", "--state", "state", *LEARN)
        summary = replay(url, *words, cwd=tmp_path)
    assert summary["population"] == {"examples": 9, "limited": 0, "version": VERSIONS}


@pytest.mark.parametrize("processes", [1, 2])
def test_killed_run_trains_on_each_feedback_event_once(processes: int, tmp_path: Path) -> None:
    """Published versions do not change, and numbers only rise."""
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


def test_rebuild_restores_the_population_version(run: Run) -> None:
    """The version and the default signals are the same bytes."""
    with redis_of_its_own() as (url, client):
        done = tacit("rebuild", "--state", "state", "--redis", url, cwd=run.folder, TACIT_POPULATION="learn")
        assert (done.returncode, done.stderr) == (0, "")
        for key in ("population", f"population:{VERSIONS}", "defaults"):
            assert everything_in(client)[PREFIX + key] == everything_in(run.client)[PREFIX + key]


# Users in the training


def feedback(name: str, *, users: int, each: int, at_ms: int, **fields: Any) -> Iterator[dict[str, Any]]:
    """Yield the events of users with consent and likes of tables."""
    for number in range(users):
        user = f"u:{name}-{number}"
        yield make_event(event_id=f"{user}-c", user_id=user, at=at_ms - 1, type="consent", granted=True)
        for turn in range(each):
            yield make_event(
                event_id=f"{user}-{turn}", turn_id=f"{user}-{turn}", user_id=user, at=at_ms + turn,
                served={"format": "table"}, feedback={"kind": "thumbs_up"}, **fields,
            )  # fmt: skip


@pytest.mark.parametrize(("users", "is_published"), [(20, True), (19, False)])
def test_term_of_twenty_users_is_published(users: int, is_published: bool, tmp_path: Path) -> None:
    """A feature of nineteen users is not published, with any amount of feedback."""
    write_lines(tmp_path / "events.jsonl", feedback("few", users=users, each=50, at_ms=now_ms() - 60_000))
    with redis_of_its_own() as (url, client):
        replay(url, "events.jsonl", *LEARN, cwd=tmp_path)
        assert ("format=table" in newest(client).features) is is_published


def test_feedback_without_consent_or_of_a_sensitive_topic_trains_nothing(tmp_path: Path) -> None:
    """300 feedback events of each kind publish no version."""
    at_ms = now_ms() - 60_000
    denied = [e for e in feedback("denied", users=30, each=10, at_ms=at_ms) if e["type"] != "consent"]
    ill = feedback("ill", users=30, each=10, at_ms=at_ms, topic="health")
    write_lines(tmp_path / "events.jsonl", [*denied, *ill])
    with redis_of_its_own() as (url, client):
        summary = replay(url, "events.jsonl", *LEARN, cwd=tmp_path)
        assert (summary["accepted"], summary["population"]) == (330, {"examples": 0, "limited": 0, "version": 0})
        assert not [key for key in everything_in(client) if "population" in key or "defaults" in key]


# No population model, and a fixed version


def test_population_none_publishes_nothing(run: Run, tmp_path: Path) -> None:
    """Redis has no key, the folder no file, and each signal has the number 0."""
    with redis_of_its_own() as (url, client):
        replay(url, run.folder / "events.jsonl", "--state", "state", "--population", "none", cwd=tmp_path)
        held = everything_in(client)
    assert deciding_models(held) == {"m3.c1.p0"}
    assert not [key for key in held if "population" in key or "defaults" in key]
    assert not (tmp_path / "state" / "population.json").exists()


def test_fixed_version_gives_the_same_bytes_in_one_and_two_processes(run: Run, tmp_path: Path) -> None:
    """A shadow namespace uses the version of the namespace `live`."""
    for namespace, processes in (("one", 1), ("two", 2)):
        words = ("--namespace", namespace, "--population", 2, "--processes", processes)
        replay(run.url, run.folder / "events.jsonl", *words, cwd=tmp_path)
    held = everything_in(run.client)
    one, two = (
        {key.split(":", 4)[4]: content for key, content in held.items() if key.split(":")[3].strip("{}") == name}
        for name in ("one", "two")
    )
    assert deciding_models(held, namespace="one") == {"m3.c1.p2"}
    assert one == two
    assert len(one) > 100


def test_missing_version_is_a_configuration_error(run: Run) -> None:
    """The error is one line and has the newest number."""
    done = tacit("replay", "events.jsonl", "--redis", run.url, "--population", "77", cwd=run.folder)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"version 77 is not kept in namespace live (the newest is {VERSIONS})" in line


# Challengers


def test_challengers_decide_nothing(tmp_path: Path) -> None:
    """Besides the report of proof, Redis has the same content; an error of one is logged, and the run is done."""
    write_history(tmp_path / "events.jsonl", users=60, turns=2_500)
    path = "river.linear_model.LogisticRegression"
    table = 'optimizer = { class = "river.optim.SGD", lr = nan }'
    (tmp_path / "diverges.toml").write_text(f'[models."{path}"]\n{table}\n')
    _, plain = left_by("events.jsonl", *LEARN, cwd=tmp_path)
    words: tuple[str, ...] = (
        "--challenger",
        path,
        "--challenger",
        "river.dummy.PriorClassifier",
        "--challenger-share",
        "1",
    )
    _, challenged = left_by("events.jsonl", *LEARN, *words, cwd=tmp_path)
    report = f"{PREFIX}proof"
    assert challenged.pop(report) != plain.pop(report)
    assert challenged == plain
    with redis_of_its_own() as (url, client):
        words += ("--config", "diverges.toml", "--redis", url)
        done = tacit("replay", "events.jsonl", *LEARN, *words, cwd=tmp_path)
        assert done.returncode == 0
        assert done.stderr.count("challenger.stopped") == 1
        assert {key: value for key, value in everything_in(client).items() if key != report} == plain


def test_wrong_challenger_is_an_error_before_the_start(tmp_path: Path) -> None:
    """Nothing is read and nothing is written."""
    write_history(tmp_path / "events.jsonl", users=2, turns=5)
    with redis_of_its_own() as (url, client):
        done = tacit("replay", "events.jsonl", *LEARN, "--challenger", "river.tree.Oak", "--redis", url, cwd=tmp_path)
        assert (done.returncode, client.dbsize()) == (2, 0)
    assert "river.tree.Oak: River has no such class; correct the path" in done.stderr
