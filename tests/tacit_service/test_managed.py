"""Managed actions on a real deployment: Kafka, a worker, Redis and the service."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from dataflows.control.audit import verify_audit
from tacit.contract.pseudonyms import pseudonym, pseudonym_text
from tacit_lab.embedded import EmbeddedRedis
from tests.support.commands import SECRET, running
from tests.support.conditions import eventually
from tests.support.factories import make_event
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_topics import Kafka
from tests.support.replays import now_ms
from tests.support.service import Service, messages, problem, serving

pytestmark = [*KAFKA_TEST, pytest.mark.usefixtures("refused_connections")]

SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schema"
ADA = pseudonym_text(pseudonym("ada", SECRET.encode()))


@pytest.fixture(scope="module")
def service(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield the service of a deployment in which ada likes short answers."""
    folder = tmp_path_factory.mktemp("managed")
    source = f"kafka://{kafka.servers}/{kafka.create_topic()}"
    kafka.produce(source.rpartition("/")[2], _history())
    with EmbeddedRedis() as server:
        words = ["run", source, "--redis", server.url, "--state", "state", "--metrics", "off"]
        more = ("--source", source, "--state", "state", "--receipts", "receipts.jsonl", "--rate-user", "1000")
        with (
            running([*words, "--checkpoint-every", "1", "--erase-within", "5"], folder / "run.log") as run,
            serving(folder, server.url, *more) as found,
        ):
            run.wait_for(lambda: served(found, "length")["source"] == "learned", "learned signals")
            yield found


def _history() -> list[bytes]:
    start = now_ms() - 60_000
    consent = make_event(type="consent", granted=True, user_id="ada", at=start, event_id="c")
    liked = [
        make_event(
            user_id="ada", at=start + n + 1, event_id=f"e{n}", served={"length": "concise"},
            feedback={"kind": "thumbs_up"},
        )
        for n in range(40)
    ]  # fmt: skip
    return [msgspec.json.encode(event) for event in (consent, *liked)]


def known(service: Service) -> dict[str, Any]:
    answer = service.client.get("/v1/users/ada")
    found: dict[str, Any] = answer.json()
    assert answer.status_code == 200, found
    return found


def served(service: Service, facet: str) -> dict[str, Any]:
    return next(each for each in known(service)["facets"] if each["facet"] == facet)


def test_user_pins_consents_forgets_and_follows_the_receipt(service: Service) -> None:
    """Each action is visible when the answer to `?wait` comes, announced as a change, and audited."""
    client = service.client
    with client.stream("GET", "/v1/changes") as stream:
        lines = stream.iter_lines()
        next(lines)
        pinned = client.put("/v1/users/ada/pins/tone?wait=10", json={"value": "formal"})
        assert (pinned.status_code, pinned.json()["took_ms"] > 0) == (202, True)
        assert served(service, "tone")["pin"] == {"value": "formal", "at_ms": pinned.json()["at_ms"]}
        assert served(service, "tone")["sure"] == "set"
        changed = messages(lines, 1)[0]
        assert changed["event"] == "changed"
        assert ADA in json.loads(changed["data"])["users"]
        last_id = changed["id"]
    removed = client.delete("/v1/users/ada/pins/tone?wait=10")
    assert removed.json()["took_ms"] > 0
    assert served(service, "tone")["pin"] is None
    with client.stream("GET", "/v1/changes", headers={"Last-Event-ID": last_id}) as stream:
        assert ADA in json.loads(messages(stream.iter_lines(), 1)[0]["data"])["users"]
    with client.stream("GET", "/v1/changes", headers={"Last-Event-ID": "1-1"}) as stream:
        assert messages(stream.iter_lines(), 1)[0]["event"] == "reset"
    _explained(service)
    assert client.put("/v1/users/ada/consent?wait=10", json={"granted": False, "scopes": ["explore"]}).json()["took_ms"]
    assert known(service)["consent"]["explore"]["state"] == "denied"
    assert client.delete("/v1/users/ada/facets/length?wait=10").json()["took_ms"]
    assert served(service, "length")["source"] != "learned"
    forgotten = client.delete("/v1/users/ada?wait=10").json()
    assert forgotten["took_ms"]
    assert known(service)["forgotten_ms"] == forgotten["sent_ms"]
    follow = f"{forgotten['follow']}?user=ada"
    eventually(lambda: client.get(follow).status_code == 200, within_s=30, what="the receipt")
    receipt = client.get(follow).json()
    Draft202012Validator(json.loads((SCHEMAS / "receipt.schema.json").read_text())).validate(receipt)
    assert receipt["number"] == forgotten["receipt"]
    assert receipt["sent_ms"] == forgotten["sent_ms"]
    problem(client.get(f"{forgotten['follow']}?user=bo"), "not-found", 404)
    audit = service.audit()
    actions = list(dict.fromkeys(line["action"] for line in audit))
    assert actions == ["pin", "why", "export", "consent", "forget", "receipt"]
    assert [line["outcome"] for line in audit if line["action"] == "forget"][-2:] == ["sent", "visible"]
    assert {line["by"] for line in audit} == {"assistant"}
    assert not verify_audit([str(service.folder / "audit.jsonl")]).problems
    for text in ((service.folder / "audit.jsonl").read_text(), service.run.output):
        assert not re.search(r"\bada\b", text), "hashes may have these letters, and no word is the user id"


def _explained(service: Service) -> None:
    """Check the explanation and the export, which need a checkpoint."""
    eventually(lambda: service.client.get("/v1/users/ada/why").status_code == 200, within_s=20, what="a checkpoint")
    problem(service.client.get("/v1/users/bo/why"), "not-found", 404)
    why = service.client.get("/v1/users/ada/why", params={"facet": "length"})
    _valid("why", why.json())
    assert why.json()["facets"][0]["served"] == {"value": "concise", "tier": "apply", "source": "learned"}
    export = service.client.get("/v1/users/ada/export")
    _valid("export", export.json())
    assert export.json()["user"] == ADA
    page = service.client.get("/v1/users/ada/export", params={"format": "html"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.text.startswith("<!doctype html>")


def _valid(name: str, document: object) -> None:
    Draft202012Validator(json.loads((SCHEMAS / f"{name}.schema.json").read_text())).validate(document)


def test_requests_that_the_catalogue_does_not_permit_send_nothing(service: Service) -> None:
    """Unknown facets, values, scopes and waits are refused, without the value in the answer."""
    client = service.client
    before = len(service.audit())
    for method, path, body in (
        ("PUT", "pins/colour", {"value": "red"}),
        ("PUT", "pins/tone", {"value": "shouted"}),
        ("PUT", "pins/tone", {"value": None}),
        ("PUT", "pins/tone?wait=11", {"value": "formal"}),
        ("PUT", "pins/tone?wait=nan", {"value": "formal"}),
        ("DELETE", "facets/colour", None),
        ("PUT", "consent", {"granted": "yes"}),
        ("PUT", "consent", {"granted": True, "scopes": ["all"]}),
        ("GET", "why?facet=colour", None),
        ("GET", "export?format=pdf", None),
    ):
        answer = (
            client.request(method, f"/v1/users/ada/{path}", json=body)
            if body
            else client.request(method, f"/v1/users/ada/{path}")
        )
        problem(answer, "invalid-request", 400)
        assert not {"colour", "shouted", "pdf"} & set(answer.text.replace('"', " ").split())
    assert len(service.audit()) == before
