"""Commands `tacit uplift` and `tacit promote` on a real Redis with a report."""

import json
from collections.abc import Iterator
from contextlib import closing

import msgspec
import pytest
import redis

from connectors.population.proof_store import ProofStore
from connectors.redis.client import RedisClient
from state.learning.proof_report import encode_report
from tacit.contract.keys import RegionKeys
from tests.support.commands import tacit
from tests.support.replays import redis_of_its_own
from tests.support.sample_proof import REPORT

REGION = RegionKeys("eu")


@pytest.fixture
def server() -> Iterator[tuple[str, redis.Redis]]:
    """Yield a Redis with a namespace that has a report, and one that has none."""
    with redis_of_its_own() as (url, client):
        client.sadd(REGION.namespaces, "live", "shadow")
        for namespace in ("live", "shadow"):
            client.hset(REGION.within(namespace).signals(bytes(16)), "_status", "{}")
        with closing(ProofStore(RedisClient(url), REGION.within("shadow"))) as store:
            store.publish(encode_report(REPORT))
        yield url, client


def test_uplift_shows_the_report_of_a_namespace(server: tuple[str, redis.Redis]) -> None:
    """As text and as JSON; by default of the active namespace."""
    url, client = server
    text = tacit("uplift", "shadow", "--redis", url).stdout
    assert text.startswith("shadow: 12,345 answers with feedback")
    found = json.loads(tacit("uplift", "shadow", "--redis", url, "--json").stdout)
    assert found == {"namespace": "shadow", "report": json.loads(json.dumps(msgspec.to_builtins(REPORT)))}
    client.set(REGION.active, "shadow")
    assert tacit("uplift", "--redis", url).stdout == text


def test_namespace_without_a_report_is_no_error(server: tuple[str, redis.Redis]) -> None:
    """The command explains when there is one."""
    done = tacit("uplift", "--redis", server[0])
    assert done.returncode == 0
    assert done.stdout.startswith("namespace live has no report yet: a worker writes one with each population version")
    assert json.loads(tacit("uplift", "--redis", server[0], "--json").stdout) == {"namespace": "live", "report": None}


def test_promote_shows_the_estimate_before_it_switches(server: tuple[str, redis.Redis]) -> None:
    """Without a prompt, so that scripts can run it."""
    url, client = server
    lines = tacit("promote", "shadow", "--redis", url).stdout.splitlines()
    assert lines[0] == "estimate of the policy of shadow, from the live log:"
    assert any(line.split()[:4] == ["all", "facets", "5,000", "0.620"] for line in lines)
    assert lines[-1] == "readers use shadow instead of live; to undo: tacit promote --back"
    found = json.loads(tacit("promote", "live", "--redis", url, "--json").stdout)
    assert found == {"region": "eu", "active": "live", "before": "shadow", "candidate": None}
    back = json.loads(tacit("promote", "shadow", "--redis", url, "--json").stdout)
    assert back["candidate"]["support"] == 0.97
    assert client.get(REGION.active) == "shadow"


def test_promote_without_a_report_has_a_reason_and_switches(server: tuple[str, redis.Redis]) -> None:
    """A broken report does not stop a switch, either."""
    url, client = server
    assert "namespace live has no report yet" in tacit("promote", "live", "--redis", url).stdout
    client.set(REGION.within("shadow").proof, "[]")
    done = tacit("promote", "shadow", "--redis", url)
    assert "a report of proof cannot be read" in done.stdout
    assert client.get(REGION.active) == "shadow"
    failed = tacit("uplift", "shadow", "--redis", url)
    assert failed.returncode == 1
    assert "a report of proof cannot be read" in failed.stderr
