"""Another number of shards on a real Kafka, Redis and S3: a run continues with the same users, signals and wipes."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dataflows.cuts.bucket import LEASE, Bucket, open_bucket
from dataflows.cuts.cut import Cut
from dataflows.cuts.keyed_states import read_states
from dataflows.cuts.reading import fetched_cut
from dataflows.graph import TRAIN_STEP
from dataflows.settings import Settings
from dataflows.state_folder import RECOVERY, SHARDS
from operators.train_state import unpack_train_state
from state.catalogue.numbered import NumberedCatalogue
from state.learning.encryption import derived_key
from state.storage.rewriting import committed_users
from state.user import codec
from tacit.contract.pseudonyms import pseudonym
from tacit.errors import TacitError
from tests.integration.test_cuts import LIMITS, await_cuts, events
from tests.integration.test_hosts import Hosts
from tests.support.commands import SECRET, everything_in, running, tacit
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_topics import Kafka
from tests.support.live_runs import Place
from tests.support.object_server import BUCKET, s3, s3_server
from tests.support.replays import redis_of_its_own

__all__ = ["s3", "s3_server"]

pytestmark = KAFKA_TEST
USERS = [f"user-{number}" for number in range(24)]
FORGOTTEN = USERS[5]


@pytest.fixture
def place(kafka: Kafka, tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "bucket").mkdir()
    with redis_of_its_own() as (url, client):
        yield Place(kafka, url, client, tmp_path, partitions=2)


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a folder, or of a real S3 server where a test asks for it."""
    if getattr(request, "param", "file") == "file":
        return f"file://{tmp_path}/bucket"
    request.getfixturevalue("s3")
    return f"s3://{BUCKET}/{tmp_path.name}"


def started(place: Place, url: str, *more: str, state: str = "state", log: str = "log") -> Any:
    words = place.words("--checkpoints", url, "--upload-every", "1", *more, state=state)
    return running(words, place.folder / log, LIMITS)


def bucket_of(url: str) -> Bucket:
    return open_bucket(Settings(embedded=True, checkpoints=url))


def newest(url: str) -> Cut:
    cut = bucket_of(url).newest()
    assert cut is not None
    return cut


def users_of(url: str, cut: Cut) -> dict[bytes, bytes]:
    with fetched_cut(bucket_of(url), cut) as found:
        found.complete()
        tokens = {int(shard): one.checkpoint for shard, one in cut.shards.items()}
        return dict(committed_users(found.folder / SHARDS, tokens))


def signals_in(place: Place) -> dict[str, Any]:
    return {
        key: content for key, content in everything_in(place.client).items() if "{" in key and "population" not in key
    }


def reshard(place: Place, url: str, shards: int, *more: str) -> dict[str, Any]:
    done = tacit("state", "reshard", str(shards), "--checkpoints", url, "--json", *more, cwd=place.folder)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def learn_and_forget(place: Place, url: str, *more: str, is_killed: bool = False) -> None:
    """Run over the feedback of all users and the forget of one, and stop in order, or by a kill after a cut."""
    for user in USERS:
        place.teach(user)
    with started(place, url, *more) as run:
        place.wait_for_signals(run, len(USERS))
        place.forget(FORGOTTEN)
        place.wait_for_signals(run, len(USERS) - 1)
        if is_killed:
            await_cuts(run)
            run.kill()
        else:
            assert run.stop() == 0


def contributors(url: str, cut: Cut) -> set[str]:
    """Return the features with contributors in any shard."""
    with fetched_cut(bucket_of(url), cut) as found:
        states = read_states(found.folder / RECOVERY).of_shards(TRAIN_STEP)
    opened = [unpack_train_state(state, derived_key(SECRET.encode())) for state in states.values()]
    return {name for one in opened if one.training for name in one.training.contributors}


@pytest.mark.parametrize("url", ["s3"], indirect=True)
@pytest.mark.parametrize(("shards", "is_killed"), [(4, False), (64, True)])
def test_run_continues_from_the_new_cut_with_equal_users_signals_and_wipes(
    shards: int, is_killed: bool, place: Place, url: str
) -> None:
    """From an empty folder, and later from its own; the earlier number is refused."""
    learn_and_forget(place, url, "--population", "learn", is_killed=is_killed)
    earlier, signals = newest(url), signals_in(place)
    before = users_of(url, earlier)
    done = reshard(place, url, shards)
    assert (done["from"], done["users"]) == ({"cut": earlier.text, "shards": 16}, len(USERS))
    assert (done["training"]["restricted"], done["training"]["shards"] > 0) == (shards == 4, True)
    assert is_killed or done["training"]["pending_examples"] == 0
    cut = newest(url)
    assert (cut.text, cut.identity.shards) == (done["to"]["cut"], shards)
    assert users_of(url, cut) == before
    assert contributors(url, cut) == contributors(url, earlier) != set()
    refused = tacit(*place.words("--checkpoints", url, state="state"), cwd=place.folder, limits=LIMITS)
    assert refused.returncode == 1
    assert f"was made for shards {shards}, not 16: run with that" in refused.stderr
    shutil.rmtree(place.folder / "state")
    with started(place, url, "--shards", str(shards), "--population", "learn", log="log2") as run:
        run.wait_for(lambda: events(run, "cut.fetched"), "the fetch")
        place.teach("new")
        place.wait_for_signals(run, len(USERS))
        await_cuts(run, 1)
        assert run.stop() == 0
    after = signals_in(place)
    assert {key: after[key] for key in signals} == signals
    later = users_of(url, newest(url))
    assert {user: later[user] for user in before} == before
    assert len(later) == len(USERS) + 1
    assert wiped_ms(later[pseudonym(FORGOTTEN, SECRET.encode())]) > 0
    with started(place, url, "--shards", str(shards), log="log3") as run:
        await_cuts(run, 1)
        assert not events(run, "cut.fetched")
        assert run.stop() == 0


def test_host_folder_of_the_earlier_number_gets_the_new_cut(place: Place, url: str) -> None:
    """No checkpoint of the earlier shards stays in the folder."""
    learn_and_forget(place, url)
    before = users_of(url, newest(url))
    reshard(place, url, 4)
    with started(place, url, "--shards", "4", log="log2") as run:
        run.wait_for(lambda: events(run, "cut.fetched"), "the fetch")

        def holds_new_checkpoints_only() -> bool:
            folders = list((place.folder / "state" / "shards").glob("*/c0*"))
            return (
                bool(folders)
                and {path.parent.name for path in folders} <= {f"{shard:03d}" for shard in range(4)}
                and all(
                    json.loads(path.read_bytes())["shards"] == 4
                    for path in (place.folder / "state").glob("shards/*/c0*/SEAL")
                )
            )

        run.wait_for(holds_new_checkpoints_only, "the deletion of the earlier checkpoints")
        assert run.stop() == 0
    assert users_of(url, newest(url)) == before


def wiped_ms(packed: bytes) -> int:
    return codec.unpack(packed, NumberedCatalogue.load()).consent.wiped_ms


def test_change_is_undone_by_a_savepoint_of_before(place: Place, url: str) -> None:
    """The events since then are read again, with the earlier number; and the savepoint followed a wipe meanwhile."""
    learn_and_forget(place, url)
    assert tacit("state", "save", "before", "--checkpoints", url, cwd=place.folder).returncode == 0
    reshard(place, url, 4)
    with started(place, url, "--shards", "4", log="log2") as run:
        place.teach("new")
        place.wait_for_signals(run, len(USERS))
        place.forget(USERS[0])
        run.wait_for(lambda: events(run, "savepoint.rewritten"), "the savepoint's wipe")
        assert run.stop() == 0
    later = users_of(url, newest(url))
    with started(place, url, "--from", "before", log="log3") as run:
        run.wait_for(lambda: events(run, "savepoint.restored"), "the restoration")

        def has_all_users() -> bool:
            with suppress(TacitError):  # the run drops older cuts
                cut = newest(url)
                return cut.identity.shards == 16 and users_of(url, cut).keys() == later.keys()
            return False

        run.wait_for(has_all_users, "a cut with all users")
        assert run.stop() == 0
    found, wiped = users_of(url, newest(url)), pseudonym(USERS[0], SECRET.encode())
    assert wiped_ms(found.pop(wiped)) == wiped_ms(later.pop(wiped)) > 0
    assert own(found) == own(later)


def own(rows: Mapping[bytes, bytes]) -> dict[bytes, Any]:
    """Return the learned state of users, without the signals sent: those depend on the batches of a run."""
    catalogue = NumberedCatalogue.load()
    found = {}
    for user, packed in rows.items():
        state = codec.unpack(packed, catalogue)
        state.emitted.clear()
        found[user] = codec.pack(state)
    return found


def test_run_with_the_new_number_from_the_start_has_the_same_users(place: Place, url: str, tmp_path: Path) -> None:
    """Half of the events before the change, half after it."""
    learn_and_forget(place, url)
    reshard(place, url, 6)
    shutil.rmtree(place.folder / "state")
    with started(place, url, "--shards", "6", log="log2") as run:
        run.wait_for(lambda: events(run, "cut.fetched"), "the fetch")
        for user in ("late-1", "late-2"):
            place.teach(user)
        place.wait_for_signals(run, len(USERS) + 1)
        assert run.stop() == 0
    resharded = users_of(url, newest(url))
    (tmp_path / "other").mkdir()
    other = f"file://{tmp_path}/other"
    with redis_of_its_own() as (redis_url, client):
        words = place.words("--shards", "6", "--checkpoints", other, "--upload-every", "1", state="whole")
        with running([*words, "--redis", redis_url], place.folder / "log3", LIMITS) as run:
            run.wait_for(lambda: len(client.keys("*:signals")) == len(USERS) + 1, "signals")
            await_cuts(run)
            assert run.stop() == 0
    assert own(users_of(other, newest(other))) == own(resharded)


def test_live_cluster_is_an_error_with_the_holder(place: Place, url: str) -> None:
    place.teach("ada")
    with started(place, url) as run:
        await_cuts(run, 1)
        done = tacit("state", "reshard", "4", "--checkpoints", url, cwd=place.folder)
        assert (done.returncode, f"(pid {run.process.pid}" in done.stderr) == (1, True), done.stderr
        trial = reshard(place, url, 4, "--dry-run")
        assert (trial["to"], trial["users"]) == ({"cut": None, "shards": 4}, 1)
        assert run.stop() == 0
    assert newest(url).identity.shards == 16


@pytest.mark.parametrize("url", ["s3"], indirect=True)
def test_killed_change_leaves_the_earlier_cut_and_its_files_go(place: Place, url: str) -> None:
    """Killed with the lease, and again while it uploads; then it succeeds, and the next run deletes the rest."""
    learn_and_forget(place, url)
    earlier, store = newest(url), bucket_of(url).store
    users = users_of(url, earlier)
    before = {found.key for found in store.list()}
    words = ["state", "reshard", "64", "--checkpoints", url]

    def holds() -> bool:
        found = store.get(LEASE)
        return bool(found and json.loads(found.data)["holder"])

    with running(words, place.folder / "killed1") as first:
        first.wait_for(holds, "the lease")
        first.kill()
    assert newest(url) == earlier
    with running([*words, "--upload-rate", "0.001"], place.folder / "killed2") as second:
        second.wait_for(lambda: {found.key for found in store.list("tables")} - before, "a table")
        second.kill()
    assert newest(url) == earlier
    orphans = {found.key for found in store.list("tables")} - before
    with started(place, url) as run:
        await_cuts(run, 1)
        run.wait_for(lambda: not orphans & {found.key for found in store.list("tables")}, "the deletion")
        assert run.stop() == 0
    assert users_of(url, newest(url)) == users
    reshard(place, url, 64)
    assert users_of(url, newest(url)) == users


@pytest.mark.parametrize(("shards", "count"), [(4, 1), (24, 3)])
def test_cut_of_two_hosts_begins_a_run_of_any_number_of_hosts(
    shards: int, count: int, kafka: Kafka, tmp_path: Path
) -> None:
    """Parts of the recovery store of both hosts, and shards of both."""
    (tmp_path / "bucket").mkdir()
    url = f"file://{tmp_path}/bucket"
    with redis_of_its_own() as (redis_url, client):
        place = Place(kafka, redis_url, client, tmp_path, partitions=4)
        hosts = Hosts(place, 2)
        try:
            for user in USERS:
                place.teach(user)
            hosts.start(0, 1)
            place.wait_for_signals(hosts.runs[0], len(USERS))
            hosts.stop()
        finally:
            hosts.close()
        before, signals = users_of(url, newest(url)), signals_in(place)
        assert reshard(place, url, shards)["users"] == len(USERS)
        later = Hosts(place, count, "--checkpoints", url, "--upload-every", "1", "--shards", str(shards))
        try:
            later.start(*range(count))
            place.teach("new")
            place.wait_for_signals(later.runs[0], len(USERS) + 1)
            later.stop()
        finally:
            later.close()
        after = users_of(url, newest(url))
        assert {user: after[user] for user in before} == before
        assert len(after) == len(USERS) + 1
        found = signals_in(place)
        assert {key: found[key] for key in signals} == signals
