"""Options of several hosts: what does not fit is refused, and nothing is ignored."""

from pathlib import Path

import pytest

from tacit_cli.invocation import Invocation
from tacit_cli.output import Output
from tacit_cli.replay_job import ReplayOptions, make_job
from tests.support.commands import tacit

TOPIC = "kafka://localhost:9/events"
REDIS = ("--redis", "redis://localhost:9")
HOSTS = ("--hosts", "a:2101,b:2101")
FIRST = (*HOSTS, "--host", "0")
STATE = ("--state", "state")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ((TOPIC, *REDIS, *FIRST), "hosts: needs a state folder on each host; add --state DIR"),
        (("events.jsonl", *REDIS, *FIRST, *STATE), "hosts: share the partitions of topics, and one process reads all"),
        (("-", *REDIS, *FIRST, *STATE), "hosts: share the partitions of topics, and one process reads all files"),
        ((TOPIC, *REDIS, *FIRST, *STATE, "--dry-run"), "dry_run: keeps no state, from which hosts resume together"),
        ((TOPIC, "--embedded", *FIRST, *STATE), "hosts: find each other in one Redis, and --embedded starts one per"),
        ((TOPIC, *REDIS, *HOSTS, "--host", "2", *STATE), "host: 2 is not one of 2 hosts, which count from 0"),
        ((TOPIC, *REDIS, "--host", "1", *STATE), "host: belongs to several hosts; add --hosts, or leave it out"),
        ((TOPIC, *REDIS, "--hosts-within", "9", *STATE), "hosts_within: belongs to several hosts; add --hosts"),
    ],
)
def test_option_that_does_not_fit_is_refused(words: tuple[str, ...], problem: str, tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(b"")
    done = tacit("replay", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert problem in done.stderr


@pytest.mark.parametrize(("flags", "share"), [({}, (0, 1)), ({"hosts": "c:1,d:1", "host": "1"}, (1, 2))])
def test_hosts_come_from_the_option_alone(
    flags: dict[str, str], share: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shared file has those of a live run, whose ports are in use, and its object storage."""
    monkeypatch.setenv("TACIT_SECRET", "0123456789abcdef0123456789abcdef")
    bucket = tmp_path / "bucket"
    bucket.mkdir()
    file = tmp_path / "tacit.toml"
    file.write_text(f'hosts = "a:2101,b:2101,c:2101"\nhost = "0"\ncheckpoints = "file://{bucket}"\n')
    given = {"redis": "redis://localhost:9", "state": str(tmp_path / "state"), **flags}
    invocation = Invocation(given, file, Output())
    job = make_job(invocation, invocation.settings(), [TOPIC], ReplayOptions())
    assert (job.share, job.on_hosts) == (share, bool(flags))
    assert not (job.on_hosts and job.settings.checkpoints)


def test_live_run_on_hosts_refuses_a_redis_of_its_own(tmp_path: Path) -> None:
    done = tacit("run", TOPIC, "--embedded", *FIRST, *STATE, cwd=tmp_path)
    assert done.returncode == 2
    assert "hosts: find each other in one Redis, and --embedded starts one per host; use --redis" in done.stderr
