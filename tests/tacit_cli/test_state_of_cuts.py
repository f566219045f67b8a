"""Commands that read a cut in place of a state folder: the same output, and only the objects that it needs."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from dataflows.cuts.bucket import Bucket, open_bucket
from dataflows.settings import Settings
from state.storage.shards import shard_of
from tacit.contract.pseudonyms import pseudonym
from tests.support.commands import SECRET, everything_in, tacit
from tests.support.cuts import make_cut, wipe
from tests.support.histories import START_MS, STORIES, make_state
from tests.support.replays import redis_of_its_own


@pytest.fixture(scope="module")
def cwd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with `state`, and a cut of it in `bucket`, which is also a savepoint."""
    folder = tmp_path_factory.mktemp("stories")
    make_state(folder)
    (folder / "bucket").mkdir()
    bucket = bucket_of(folder)
    make_cut(bucket, folder / "state")
    bucket.save("before")
    return folder


def bucket_of(folder: Path) -> Bucket:
    return open_bucket(Settings(embedded=True, checkpoints=f"file://{folder}/bucket", namespace="n"))


def words(cwd: Path, *more: str) -> list[str]:
    return ["--checkpoints", f"file://{cwd}/bucket", "--namespace", "n", *more]


def read(cwd: Path, *command: str) -> Any:
    done = tacit(*command, "--json", cwd=cwd, TACIT_AUDIT="audit.jsonl")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.mark.parametrize("savepoint", [(), ("--from", "before")])
def test_user_of_a_cut_is_that_of_the_folder(savepoint: tuple[str, ...], cwd: Path) -> None:
    expected = read(cwd, "state", "show", "u:ada", "--state", "state")
    assert read(cwd, "state", "show", "u:ada", *words(cwd, *savepoint)) == expected


def test_sizes_need_no_table_and_one_user_needs_one_shard(cwd: Path) -> None:
    bucket = bucket_of(cwd)
    cut = bucket.newest()
    assert cut is not None
    shard = str(shard_of(pseudonym("u:ada", SECRET.encode()), 16))
    others = [file.key for number, found in cut.shards.items() if number != shard for file in found.tables.values()]
    kept = {key: found.data for key in others if (found := bucket.store.get(key))}
    assert len(kept) == len(others) > 0
    bucket.store.delete(others)
    assert read(cwd, "state", "show", "u:ada", *words(cwd))["seq"] == 9
    found = read(cwd, "state", "stats", *words(cwd))
    for key, data in kept.items():
        bucket.store.put(key, data)
    expected = read(cwd, "state", "stats", "--state", "state")
    own = {"bytes", "checkpoint_bytes", "age_s", "by_shard"}
    assert {name: found[name] for name in found.keys() - own} == {
        name: expected[name] for name in expected.keys() - own
    }
    assert found["users"] == len(STORIES)
    assert found["bytes"] == cut.size
    assert [one["bytes"] for one in found["by_shard"]] == [one["bytes"] for one in expected["by_shard"]]


def test_rebuild_from_a_cut_writes_the_signals_of_the_folder(cwd: Path) -> None:
    left = []
    for source in (["--state", "state"], words(cwd, "--from", "before")):
        with redis_of_its_own() as (url, client):
            assert read(cwd, "rebuild", *source, "--redis", url)["users"] == len(STORIES)
            left.append(everything_in(client))
    assert left[0] == left[1]


def test_rebuild_from_a_savepoint_that_lacks_a_wipe_is_refused(cwd: Path, tmp_path: Path) -> None:
    """Redis has no gate of the user any more, so the signals would come back."""
    own = tmp_path / "own"
    shutil.copytree(cwd, own)
    wipe(own / "state", pseudonym("u:ada", SECRET.encode()), START_MS + 3_600_000)
    newest = make_cut(bucket_of(own), own / "state", number=2)
    with redis_of_its_own() as (url, client):
        done = tacit("rebuild", *words(own, "--from", "before"), "--redis", url, cwd=own)
        assert (done.returncode, everything_in(client)) == (1, {})
        assert f"has not followed cut {newest.text}: the run with this URL rewrites it" in done.stderr
        assert read(own, "rebuild", *words(own), "--redis", url)["users"] == len(STORIES)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--state", "state"], "checkpoints: is read in place of --state; leave one of the two out"),
        (["--from", "Before"], "name: 'Before' is no name of a savepoint: up to 63 of a-z, 0-9"),
    ],
)
@pytest.mark.parametrize("command", [("state", "show", "u:ada"), ("state", "stats"), ("rebuild",)])
def test_wrong_usage_is_an_error(command: tuple[str, ...], more: list[str], expected: str, cwd: Path) -> None:
    done = tacit(*command, *words(cwd, *more), cwd=cwd)
    assert done.returncode == 2
    assert expected in done.stderr


def test_savepoint_of_a_folder_is_wrong_usage(cwd: Path) -> None:
    done = tacit("state", "stats", "--state", "state", "--from", "before", cwd=cwd)
    expected = "tacit: from: is a savepoint of --checkpoints URL; give it in place of --state\n"
    assert (done.returncode, done.stderr) == (2, expected)


def test_folder_outweighs_object_storage_of_variables(cwd: Path) -> None:
    """Both are set where `tacit run` is; a flag outweighs them."""
    both: dict[str, Any] = {
        "TACIT_STATE": "nowhere",
        "TACIT_CHECKPOINTS": f"file://{cwd}/bucket",
        "TACIT_NAMESPACE": "n",
    }
    done = tacit("state", "stats", cwd=cwd, **both)
    assert (done.returncode, done.stderr.startswith("tacit: nowhere is no state folder")) == (1, True)
    done = tacit("state", "stats", "--from", "before", "--json", cwd=cwd, **both)
    assert json.loads(done.stdout)["users"] == len(STORIES)


def test_failures_name_the_cut(cwd: Path) -> None:
    unknown = tacit("state", "show", "u:nobody", *words(cwd), cwd=cwd, TACIT_AUDIT="audit.jsonl")
    place = f"file://{cwd}/bucket/eu/n (cut 1-1)"
    assert (unknown.returncode, f"{place}: the newest checkpoint has no user of that id" in unknown.stderr) == (1, True)
    missing = tacit("state", "stats", *words(cwd, "--from", "after"), cwd=cwd)
    assert (missing.returncode, "has no savepoint after: there are before" in missing.stderr) == (1, True)
    empty = tacit("state", "stats", *words(cwd, "--namespace", "m"), cwd=cwd)
    assert (empty.returncode, "/eu/m has no cut yet: start tacit run with" in empty.stderr) == (1, True)


def test_reshard_shows_users_and_shards(cwd: Path) -> None:
    """A dry run as text, without a note on votes, as the population has none; wrong numbers are usage errors."""
    words_ = words(cwd, "--dry-run")
    done = tacit("state", "reshard", "4", *words_, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    shown = " ".join(done.stdout.split())
    assert "from cut 1-1, 16 shards to no cut, as this was a dry run, 4 shards users 4, each compared" in shown
    assert "sets of voters" not in shown
    for number in ("0", "257", "16"):
        assert tacit("state", "reshard", number, *words_, cwd=cwd).returncode == 2
