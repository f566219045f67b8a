"""Cuts in object storage: a run that loses its disk resumes from the newest one, on another machine too."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.traces import needles_of
from connectors.traces.objects import find_object_traces
from dataflows.cuts.bucket import LEASE, open_bucket
from dataflows.settings import Settings
from tests.support.commands import SECRET, Limits, Running, everything_in, running, tacit
from tests.support.cuts import objects
from tests.support.folder_listing import everything_below
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_topics import Kafka
from tests.support.live_runs import Place
from tests.support.object_proxy import object_proxy
from tests.support.object_server import BUCKET, ObjectServer, s3, s3_server
from tests.support.replays import redis_of_its_own

__all__ = ["s3", "s3_server"]

pytestmark = KAFKA_TEST
BOTH = pytest.mark.parametrize("url", ["file", "s3"], indirect=True)

LIMITS = {"connectors.redis.ownership.LEASE_MS": 3_000, "connectors.redis.ownership.RENEW_MS": 1_000}


@pytest.fixture
def place(kafka: Kafka, tmp_path: Path) -> Iterator[Place]:
    with redis_of_its_own() as (url, client):
        yield Place(kafka, url, client, tmp_path)


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a folder, or of a real S3 server where a test asks for it."""
    if getattr(request, "param", "file") == "file":
        (tmp_path / "bucket").mkdir()
        return f"file://{tmp_path}/bucket"
    request.getfixturevalue("s3")
    return f"s3://{BUCKET}/{tmp_path.name}"


def started(place: Place, url: str, *more: str, state: str = "state", log: str = "log") -> Any:
    words = place.words("--checkpoints", url, "--upload-every", "1", *more, state=state)
    return running(words, place.folder / log, LIMITS)


def events(run: Running, name: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in run.output.splitlines() if line.startswith("{")]
    return [event for event in found if event["event"] == name]


def cuts(run: Running) -> int:
    return len(events(run, "cut.completed"))


def await_cuts(run: Running, more: int = 2) -> None:
    """Wait for a cut whose copy began after the call, as one may be in progress."""
    before = cuts(run)
    run.wait_for(lambda: cuts(run) >= before + more, f"{more} cuts")


def listed(place: Place, url: str) -> dict[str, Any]:
    done = tacit("state", "list", "--checkpoints", url, "--json", cwd=place.folder)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@BOTH
def test_run_resumes_from_the_newest_cut_after_the_loss_of_its_disk(place: Place, url: str) -> None:
    """Killed, its folder deleted: the next start fetches, and later feedback counts on top of the earlier."""
    place.teach("ada")
    with started(place, url) as run:
        place.wait_for_signals(run, 1)
        await_cuts(run)
        run.kill()
    before = everything_in(place.client)
    shutil.rmtree(place.folder / "state")
    with started(place, url, state="elsewhere") as run:
        run.wait_for(lambda: events(run, "cut.fetched"), "the fetch")
        place.teach("bob")
        place.wait_for_signals(run, 2)
        await_cuts(run, 1)
        assert run.stop() == 0
    after = everything_in(place.client)
    assert {key: after[key] for key in before if "signals" in key} == {
        key: before[key] for key in before if "signals" in key
    }
    shown = tacit("state", "stats", "--state", "elsewhere", "--json", cwd=place.folder)
    assert json.loads(shown.stdout)["users"] == 2
    assert len(listed(place, url)["cuts"]) == 3


def test_orderly_end_makes_a_last_cut_and_the_same_folder_resumes_without_a_fetch(place: Place, url: str) -> None:
    place.teach("ada")
    with started(place, url, "--upload-every", "3600") as run:
        place.wait_for_signals(run, 1)
        run.wait_for(lambda: cuts(run) == 1, "a cut")
        place.teach("bob")
        place.wait_for_signals(run, 2)
        assert run.stop() == 0
        assert cuts(run) == 2
    with started(place, url) as run:
        await_cuts(run, 1)
        assert not events(run, "cut.fetched")
        assert run.stop() == 0
    shutil.rmtree(place.folder / "state")
    with started(place, url) as run:
        run.wait_for(lambda: events(run, "cut.fetched"), "the fetch")
        run.wait_for(lambda: (place.folder / "state" / "tacit.json").exists(), "the state")
        assert run.stop() == 0
    shown = tacit("state", "stats", "--state", "state", "--json", cwd=place.folder)
    assert json.loads(shown.stdout)["users"] == 2


@pytest.mark.parametrize("part", [LEASE, "cuts/", "archives/", "tables/"])
def test_stop_during_a_start_that_waits_for_storage_ends_with_status_0(
    place: Place, s3: ObjectServer, part: str
) -> None:
    """No request is answered, and nothing was in progress; the next start fetches."""
    url = f"s3://{BUCKET}/{place.folder.name}"
    place.teach("ada")
    with object_proxy(s3.endpoint) as proxy:

        def start(log: str) -> Any:
            words = place.words("--checkpoints", url, "--upload-every", "1", state=f"state-{log}")
            return running(words, place.folder / log, LIMITS, AWS_ENDPOINT_URL=proxy.endpoint)

        with start("first") as run:
            place.wait_for_signals(run, 1)
            await_cuts(run, 1)
            assert run.stop() == 0
        proxy.holds, proxy.held = part, 0
        with start("stopped") as run:
            run.wait_for(lambda: proxy.held, "a request without an answer")
            assert run.stop() == 0, run.output
        proxy.holds = ""
        with start("stopped") as run:
            run.wait_for(lambda: events(run, "shard.fetched"), "the fetch")
            await_cuts(run, 1)
            assert run.stop() == 0


def test_killed_process_that_uploads_is_replaced_also_for_the_last_cut(place: Place, url: str) -> None:
    """The run never stops; the counters of its cuts continue."""
    place.teach("ada")
    with started(place, url, "--upload-every", "3600") as run:
        place.wait_for_signals(run, 1)
        for ends in range(2):
            run.wait_for(lambda made=ends + 1: cuts(run) == made, "a cut")
            if ends:
                place.teach("bob")
                place.wait_for_signals(run, 2)
            os.kill(events(run, "cut.process_started")[-1]["pid"], signal.SIGKILL)
        assert run.stop() == 0
        assert [event["end"] for event in events(run, "cut.process_ended")] == ["was ended by SIGKILL"] * 2
        assert not events(run, "run.failed")
    shutil.rmtree(place.folder / "state")
    with started(place, url) as run:
        await_cuts(run, 1)
        assert len(events(run, "cut.fetched")) == 1
        assert run.stop() == 0
    shown = tacit("state", "stats", "--state", "state", "--json", cwd=place.folder)
    assert json.loads(shown.stdout)["users"] == 2


def test_second_cluster_is_refused_by_an_error_with_the_holder(place: Place, url: str) -> None:
    """Also with another Redis: the URL alone shows the other cluster."""
    place.teach("ada")
    with started(place, url) as run, redis_of_its_own() as (other, _):
        await_cuts(run, 1)
        words = place.words("--checkpoints", url, "--redis", other, state="second")
        done = tacit(*words, cwd=place.folder, limits=LIMITS)
        assert done.returncode == 1
        assert "is held by the run " in done.stderr
        assert f"(pid {run.process.pid}" in done.stderr
        assert run.process.poll() is None
        assert run.stop() == 0


@BOTH
def test_paused_cluster_stops_when_another_one_took_over(place: Place, url: str) -> None:
    """It writes neither a signal nor a cut after the takeover."""
    place.teach("ada")
    with started(place, url) as first:
        place.wait_for_signals(first, 1)
        await_cuts(first)
        os.killpg(first.process.pid, signal.SIGSTOP)
        place.teach("bob")
        with started(place, url, state="second", log="log2") as second:
            place.wait_for_signals(second, 2)
            await_cuts(second)
            newest = listed(place, url)["cuts"][-1]["cut"]
            os.killpg(first.process.pid, signal.SIGCONT)
            assert first.process.wait(60) == 1
            assert "was taken by the run " in first.output or "another run took namespace" in first.output
            assert listed(place, url)["cuts"][-1]["cut"].split("-")[0] == newest.split("-")[0]
            assert second.stop() == 0


def test_savepoint_is_kept_and_a_run_begins_from_it_once(place: Place, url: str) -> None:
    """A restart with the same `--from` continues; the name of a savepoint is used once."""
    place.teach("ada")
    with started(place, url) as run:
        place.wait_for_signals(run, 1)
        await_cuts(run)
        assert run.stop() == 0
    saved = tacit("state", "save", "before", "--checkpoints", url, "--json", cwd=place.folder)
    cut = json.loads(saved.stdout)["savepoints"]["before"]["cut"]
    again = tacit("state", "save", "before", "--checkpoints", url, cwd=place.folder)
    assert (again.returncode, "has a savepoint before already" in again.stderr) == (1, True)
    with started(place, url) as run:
        place.teach("bob")
        place.wait_for_signals(run, 2)
        await_cuts(run, 5)  # the cut of the savepoint is dropped
        assert run.stop() == 0
    assert cut not in [found["cut"] for found in listed(place, url)["cuts"]]
    for restored in (1, 0):
        with started(place, url, "--from", "before", log=f"log{restored}") as run:
            await_cuts(run, 1)
            assert len(events(run, "savepoint.restored")) == restored
            place.teach(f"new-{restored}")
            place.wait_for_signals(run, 4 - restored)
            assert run.stop() == 0
    shown = tacit("state", "stats", "--state", "state", "--json", cwd=place.folder)
    assert json.loads(shown.stdout)["users"] == 4  # the topic was read again
    dropped = tacit("state", "drop", "before", "--checkpoints", url, cwd=place.folder)
    assert (dropped.returncode, dropped.stdout) == (0, "")
    assert listed(place, url)["savepoints"] == {}


def test_standby_takes_over_from_a_killed_run(place: Place, url: str) -> None:
    """It has followed the cuts, so it continues with all that the killed run had in them."""
    place.teach("ada")
    with started(place, url) as first:
        place.wait_for_signals(first, 1)
        await_cuts(first)
        words = place.words("--checkpoints", url, "--upload-every", "1", command="standby", state="warm")
        with running(words, place.folder / "log2", LIMITS) as standby:
            standby.wait_for(lambda: events(standby, "shard.fetched"), "a fetch")
            assert first.process.poll() is None
            first.kill()
            place.teach("bob")
            place.wait_for_signals(standby, 2)
            await_cuts(standby, 1)
            assert standby.stop() == 0
    shown = tacit("state", "stats", "--state", "warm", "--json", cwd=place.folder)
    assert json.loads(shown.stdout)["users"] == 2


def test_standby_on_another_machine_does_not_wait_for_the_lease_in_redis(place: Place, url: str) -> None:
    """It cannot see that the run was killed; its higher fencing number takes the namespace before that lease ends."""
    elsewhere: Limits = {"dataflows.holder._PROC": "__import__('pathlib').Path('/proc/none')"}
    place.teach("ada")
    words = ["--checkpoints", url, "--upload-every", "1"]
    with running(place.words(*words), place.folder / "log") as first:
        place.wait_for_signals(first, 1)
        standby_words = place.words(*words, command="standby", state="warm")
        with running(standby_words, place.folder / "log2", elsewhere) as standby:
            standby.wait_for((place.folder / "warm/fence.json").exists, "a fetch")
            first.kill()
            place.teach("bob")
            place.wait_for_signals(standby, 2)
            assert not events(standby, "namespace.waiting")
            assert standby.stop() == 0


def test_standby_fetches_a_cut_soon_after_it_is_complete(place: Place, url: str) -> None:
    """For any time between cuts: the fetch would be a part of the takeover."""
    words = place.words("--checkpoints", url, "--upload-every", "3600", command="standby", state="warm")
    fetched = place.folder / "warm/fetched.json"
    place.teach("ada")
    with started(place, url) as first:
        await_cuts(first, 1)
        with running(words, place.folder / "log2", LIMITS) as standby:
            standby.wait_for(fetched.exists, "a fetch")
            before = fetched.read_bytes()
            standby.wait_for(lambda: fetched.read_bytes() != before, "the fetch of a later cut")


def test_standby_refuses_a_folder_of_another_state(place: Place, url: str) -> None:
    """Nothing in it changes."""
    place.teach("ada")
    with running(place.words("--namespace", "other", state="foreign"), place.folder / "log0", LIMITS) as run:
        run.wait_for(lambda: next((place.folder / "foreign").glob("shards/*/c*"), None), "a checkpoint")
        assert run.stop() == 0
    with started(place, url) as run:
        await_cuts(run, 1)
        before = everything_below(place.folder / "foreign")
        words = place.words("--checkpoints", url, command="standby", state="foreign")
        done = tacit(*words, cwd=place.folder, limits=LIMITS)
    assert (done.returncode, "did not come from" in done.stderr) == (1, True), done.stderr
    assert everything_below(place.folder / "foreign") == before


@pytest.mark.parametrize("lost", [LEASE, ""])
def test_cuts_count_after_a_loss_of_the_lease_or_of_all_objects(place: Place, url: str, lost: str) -> None:
    bucket = open_bucket(Settings(embedded=True, checkpoints=url))
    for users, user in enumerate(("ada", "bob", "cleo"), 1):
        place.teach(user)
        with started(place, url, "--keep-cuts", "2") as run:
            place.wait_for_signals(run, users)
            await_cuts(run, 3)
            assert run.stop() == 0
        if users == 2:
            bucket.store.delete([key for key in objects(bucket.store) if key.startswith(lost)])
    assert bucket.cuts()[-1].startswith("cuts/000003-")
    shown = tacit("state", "stats", "--checkpoints", url, "--json", cwd=place.folder)
    assert json.loads(shown.stdout)["users"] == 3


def test_cut_of_another_state_or_identity_is_refused_and_nothing_is_deleted(place: Place, url: str) -> None:
    """A folder that never had object storage, other shards, an unknown savepoint, and a damaged manifest."""
    place.teach("ada")
    with started(place, url) as run:
        await_cuts(run, 1)
        assert run.stop() == 0
    with running(place.words("--adopt", state="foreign"), place.folder / "log2", LIMITS) as run:
        place.wait_for_signals(run, 1)
        run.wait_for(lambda: next((place.folder / "foreign").glob("shards/*/c*"), None), "a checkpoint")
        assert run.stop() == 0
    bucket = open_bucket(Settings(embedded=True, checkpoints=url))

    def kept() -> dict[str, int]:
        return {found.key: found.size for found in bucket.store.list() if found.key != LEASE}

    before = kept()
    refusals = {
        ("foreign",): f"the state folder {place.folder}/foreign did not come from {bucket.url}, which has cuts of a st",
        ("new", "--shards", "4"): "was made for shards 16, not 4: run with that, or name another URL or namespace",
        ("new", "--from", "after"): f"{bucket.url} has no savepoint after: there are none; see tacit state list",
    }
    for (state, *more), expected in refusals.items():
        done = tacit(*place.words("--checkpoints", url, *more, state=state), cwd=place.folder, limits=LIMITS)
        assert (done.returncode, expected in done.stderr) == (1, True), done.stderr
    newest = bucket.cuts()[-1]
    bucket.store.put(newest, b'{"number": 1')
    done = tacit(*place.words("--checkpoints", url, state="new"), cwd=place.folder, limits=LIMITS)
    assert (done.returncode, f"the manifest {bucket.url}/{newest} is damaged" in done.stderr) == (1, True), done.stderr
    assert kept().keys() == before.keys()
    assert not (place.folder / "new" / "tacit.json").exists()


@pytest.mark.parametrize("url", ["s3"], indirect=True)
def test_forgotten_user_leaves_the_bucket_and_the_savepoint_still_starts_a_run(place: Place, url: str) -> None:
    """Within --erase-within and the retention of cuts; the search is that of `forget --verify`."""
    ada = "ada.lovelace"
    store = open_bucket(Settings(embedded=True, checkpoints=url)).store
    needles = needles_of(ada, SECRET.encode())

    def kinds() -> set[str]:
        return {trace.kind for trace in find_object_traces(store, needles)}

    place.teach(ada)
    place.teach("bob")
    with started(place, url, "--erase-within", "5") as run:
        place.wait_for_signals(run, 2)
        await_cuts(run)
        assert tacit("state", "save", "before", "--checkpoints", url, cwd=place.folder).returncode == 0
        assert "learned" in kinds()
        place.forget(ada)
        run.wait_for(lambda: events(run, "savepoint.rewritten"), "the rewriting of the savepoint")
        run.wait_for(lambda: kinds() <= {"tombstone", "pseudonym"}, "the erasure in the bucket")
        assert run.stop() == 0
    assert listed(place, url)["savepoints"]["before"]["rewritten_ms"]
    with started(place, url, "--from", "before", log="log2") as run:
        await_cuts(run, 1)
        assert len(events(run, "savepoint.restored")) == 1
        assert run.stop() == 0
    shown = tacit("state", "show", ada, "--checkpoints", url, "--json", cwd=place.folder, TACIT_AUDIT="audit")
    assert (json.loads(shown.stdout)["learns"], json.loads(shown.stdout)["seq"]) == (False, 0)
