"""Rotation of the secret: users, keys and every "no" move, also when the command is killed on its way."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from connectors.traces import find_traces
from connectors.traces.needles import pseudonym_needles
from tacit import SignalReader
from tacit.contract.keys import RegionKeys
from tacit.contract.pseudonyms import pseudonym
from tests.support.commands import NONE, SECRET, running, tacit
from tests.support.replays import now_ms, redis_of_its_own, replay, write_lines

NEW = "another secret of thirty-two bytes"
KEYS = RegionKeys("eu")
LEARNERS = [f"user-{number}" for number in range(40)]
DENIER, PINNER, STRANGER = "denier", "pinner", "stranger"
BEGIN_MS = now_ms() - 3_600_000


def event(user_id: str, number: int, **fields: Any) -> dict[str, Any]:
    return {
        "schema": 1, "event_id": f"{user_id}-{number}", "type": "interaction", "user_id": user_id,
        "at": BEGIN_MS + number * 1000, "region": "eu", **fields,
    }  # fmt: skip


def history() -> list[dict[str, Any]]:
    users = [*LEARNERS, DENIER, PINNER, STRANGER]
    served = {"length": "concise", "tone": "friendly"}
    consents = [event(user, 0, type="consent", granted=True) for user in users]
    turns = [
        event(user, n, turn_id=f"{user}-{n}", served=served, feedback={"kind": "thumbs_up"})
        for user in users
        for n in range(1, 12)
    ]
    controls = [
        event(DENIER, 20, type="consent", granted=False),
        event(PINNER, 20, type="pin", facet="tone", value="formal"),
        event(STRANGER, 20, type="consent", granted=False),
    ]
    return consents + turns + controls


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[tuple[Path, str, redis.Redis]]:
    """Yield a folder with a state folder of a replay, the URL of its Redis, and a client."""
    with redis_of_its_own() as (url, client):
        write_lines(tmp_path / "events.jsonl", history())
        replay(url, "events.jsonl", "--state", "state", "--shards", "4", "--namespace", "trial", cwd=tmp_path)
        client.set(KEYS.active, "trial")
        yield tmp_path, url, client


def rotate_words(url: str, *more: str) -> list[str]:
    return ["state", "rotate-secret", "--state", "state", "--redis", url, "--ids", "ids.txt", *more, "--json"]


def rotate(folder: Path, url: str, *more: str) -> dict[str, Any]:
    done = tacit(*rotate_words(url, *more), cwd=folder, TACIT_NEW_SECRET=NEW)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def write_ids(folder: Path, *more: str) -> None:
    (folder / "ids.txt").write_text("".join(f"{user_id}\n" for user_id in [*LEARNERS, DENIER, PINNER, *more]))


def names(url: str, user_id: str, **secrets: str) -> tuple[str, dict[str, str]]:
    """Return status and values that a reader finds."""
    with SignalReader(url, region="eu", **({"secret": NEW} | secrets)) as reader:  # type: ignore[arg-type]  # names of arguments
        adaptation = reader.get(user_id)
    return adaptation.status, {name: signal.value for name, signal in adaptation.signals.items()}


def old_name(user_id: str) -> bytes:
    return pseudonym(user_id, SECRET.encode())


def restrictions_hold(url: str) -> bool:
    """Return whether a reader with both secrets finds every "no" and every pin."""
    secrets = {"secret": NEW, "previous_secret": SECRET}
    return (
        names(url, DENIER, **secrets)[0] == "opted_out"
        and names(url, STRANGER, **secrets)[0] == "opted_out"
        and names(url, PINNER, **secrets)[1].get("tone") == "formal"
    )


def test_users_and_keys_move(deployment: tuple[Path, str, redis.Redis]) -> None:
    """The state continues under the new secret: no event is read again, and the next one finds its user."""
    folder, url, client = deployment
    before = {user_id: names(url, user_id, secret=SECRET) for user_id in (*LEARNERS, DENIER, PINNER, STRANGER)}
    lifetimes = {user_id: client.pttl(KEYS.within("trial").signals(old_name(user_id))) for user_id in LEARNERS}
    histories = {user_id: client.get(KEYS.history(old_name(user_id))) for user_id in before}
    write_ids(folder, STRANGER, "user without state")
    done = rotate(folder, url)
    assert {user_id: client.get(KEYS.history(pseudonym(user_id, NEW.encode()))) for user_id in before} == histories
    assert None not in histories.values()
    assert done["redis"]["histories"] == len(before)
    assert done["users"] == {"moved": len(before), "dropped": 0, "kept": 0}
    assert {user_id: names(url, user_id) for user_id in before} == before
    for user_id, lifetime in lifetimes.items():
        new = KEYS.within("trial").signals(pseudonym(user_id, NEW.encode()))
        assert abs(client.pttl(new) - lifetime) < 60_000
    assert not [key for user_id in before for key in client.scan_iter(f"*{old_name(user_id).hex()}*")]
    assert not list(find_traces(folder / "state", pseudonym_needles(old_name(DENIER))))
    assert not list(find_traces(folder / "state", pseudonym_needles(old_name(LEARNERS[7]))))
    with (folder / "events.jsonl").open("a") as file:
        file.write(json.dumps(event(LEARNERS[0], 30)) + "\n" + json.dumps(event(DENIER, 30)) + "\n")
    words = (
        "replay",
        "events.jsonl",
        "--state",
        "state",
        "--shards",
        "4",
        "--namespace",
        "trial",
        "--redis",
        url,
        "--json",
    )
    again = tacit(*words, cwd=folder, TACIT_SECRET=NEW)
    assert again.returncode == 0, again.stderr
    summary = json.loads(again.stdout)
    assert (summary["read"], summary["accepted"], summary["unconsented"]) == (2, 1, 1)


def test_unknown_user_with_a_no_stops_the_rotation(deployment: tuple[Path, str, redis.Redis]) -> None:
    """Nothing is changed; with --keep-unknown, the "no" stays under the old pseudonym."""
    folder, url, _ = deployment
    write_ids(folder)
    failed = tacit(*rotate_words(url), cwd=folder, TACIT_NEW_SECRET=NEW)
    assert failed.returncode == 1
    assert '1 users of state with a \\"no\\", a pin or a wipe have none of the given ids' in failed.stderr
    assert names(url, DENIER, secret=SECRET)[0] == "opted_out"
    done = rotate(folder, url, "--keep-unknown")
    assert (done["users"]["kept"], done["redis"]["gates_kept"]) == (1, 1)
    assert restrictions_hold(url)


def test_unknown_user_without_a_no_is_deleted(deployment: tuple[Path, str, redis.Redis]) -> None:
    folder, url, client = deployment
    (folder / "ids.txt").write_text("".join(f"{user_id}\n" for user_id in [*LEARNERS[1:], DENIER, PINNER, STRANGER]))
    done = rotate(folder, url)
    assert done["users"]["dropped"] == 1
    deleted = [done["redis"][f"{kind}_deleted"] for kind in ("gates", "histories", "signals")]
    assert deleted == [1, 1, 1]
    assert not list(client.scan_iter(f"*{old_name(LEARNERS[0]).hex()}*"))
    assert not list(find_traces(folder / "state", pseudonym_needles(old_name(LEARNERS[0]))))


def _new_gate(folder: Path, client: redis.Redis) -> bool:
    return bool(client.exists(KEYS.gate(pseudonym(DENIER, NEW.encode()))))


def _new_checkpoint(folder: Path, client: redis.Redis) -> bool:
    return any(folder.glob("state/shards/003/c0000000002-*")) or any(folder.glob("state/shards/003/c0000000003-*"))


def _old_gate_is_gone(folder: Path, client: redis.Redis) -> bool:
    return not client.exists(KEYS.within("trial").signals(old_name(LEARNERS[0])))


MOMENTS: dict[str, Callable[[Path, redis.Redis], bool]] = {
    "at the marker": lambda folder, _: (folder / "state" / "rotation.json").exists(),
    "at the first copied gate": _new_gate,
    "at the last new checkpoint": _new_checkpoint,
    "at the first deleted key": _old_gate_is_gone,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_rotation_is_resumed(moment: str, deployment: tuple[Path, str, redis.Redis]) -> None:
    """A reader with both secrets finds every "no" after the kill, and no run starts before the end."""
    folder, url, client = deployment
    write_ids(folder, STRANGER)
    with running(rotate_words(url), folder / "log", TACIT_NEW_SECRET=NEW) as command:
        command.wait_for(lambda: MOMENTS[moment](folder, client), moment)
        command.kill()
    assert restrictions_hold(url)
    if (folder / "state" / "rotation.json").exists():
        refused = tacit("replay", "events.jsonl", "--state", "state", "--redis", url, "--shards", "4", cwd=folder)
        assert "is between two secrets: complete the move by tacit state rotate-secret" in refused.stderr
        rotate(folder, url)
    assert restrictions_hold(url)
    assert names(url, LEARNERS[0])[0] == "fresh"
    assert json.loads((folder / "state" / "tacit.json").read_text())["secret"] != ""
    shown = tacit("state", "show", DENIER, "--state", "state", cwd=folder, TACIT_SECRET=NEW)
    assert shown.returncode == 0, shown.stderr


def test_population_model_outlives_a_rotation(deployment: tuple[Path, str, redis.Redis]) -> None:
    """Its released beliefs stay; the votes before are encrypted with the old secret."""
    folder, url, _ = deployment
    words = ["replay", "events.jsonl", "--state", "learned", "--namespace", "other", "--redis", url, "--json"]
    words += ["--population", "learn"]
    first = tacit(*words, cwd=folder)
    assert first.returncode == 0, first.stderr
    write_ids(folder, STRANGER)
    done = tacit(*rotate_words(url, "--state", "learned"), cwd=folder, TACIT_NEW_SECRET=NEW)
    assert done.returncode == 0, done.stderr
    with (folder / "events.jsonl").open("a") as file:
        turn = {"served": {"length": "concise"}, "feedback": {"kind": "thumbs_up"}}
        file.write("".join(json.dumps(event(LEARNERS[0], 40 + n, **turn)) + "\n" for n in range(3)))
    again = tacit(*words, cwd=folder, TACIT_SECRET=NEW)
    assert again.returncode == 0, again.stderr
    after = json.loads(again.stdout)
    assert (after["accepted"], after["population"]["examples"]) == (3, 3)


def test_rotation_under_wrong_secrets_is_an_error(deployment: tuple[Path, str, redis.Redis]) -> None:
    folder, url, _ = deployment
    write_ids(folder)
    cases: tuple[tuple[dict[str, str], str], ...] = (
        ({"TACIT_NEW_SECRET": "short"}, "TACIT_NEW_SECRET: 5 bytes; allowed are 16 to 64"),
        ({"TACIT_NEW_SECRET": SECRET}, "the new secret equals the old one"),
        ({"TACIT_SECRET": "one of another deployment", "TACIT_NEW_SECRET": NEW}, "was made under another secret"),
    )
    for variables, expected in cases:
        failed = tacit(*rotate_words(url), cwd=folder, limits=NONE, **variables)
        assert failed.returncode != 0
        assert expected in failed.stderr
