"""Choices by HTTP: those of a reader, from a real Redis and a real `tacit serve`."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import redis

from tacit import SignalReader
from tacit.contract.history import Action, Change, History, encode_history
from tacit.contract.keys import RegionKeys
from tacit.contract.pseudonyms import pseudonym, pseudonym_text
from tacit.contract.versions import version
from tests.support.commands import SECRET
from tests.support.redis_faults import FragileRedis
from tests.support.replays import now_ms, redis_of_its_own, replay, write_history
from tests.support.service import PATIENT, Service, problem, serving

USERS = [f"user-{number:06d}" for number in range(12)]


@pytest.fixture(autouse=True)
def patient_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give readers of this process the limits of the service."""
    for name, limit in PATIENT.items():
        monkeypatch.setattr(name, limit)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str]]:
    """Yield a service with learned signals of simulated users, and the URL of its Redis."""
    folder = tmp_path_factory.mktemp("choices")
    write_history(folder / "events.jsonl", users=40, turns=4000)
    with redis_of_its_own() as (url, _):
        replay(url, "events.jsonl", cwd=folder)
        with serving(folder, url, "--log-level", "info") as found:
            yield found, url


def test_choice_is_that_of_a_reader(service: tuple[Service, str]) -> None:
    """Values, strengths, entries, prompt and status are equal, for learned users and for a new one."""
    found, url = service
    with SignalReader(url, region="eu", secret=SECRET.encode()) as reader:
        for user in [*USERS, "new"]:
            request = {"user": user, "unit": "c-1", "topic": "code", "surface": "chat"}
            answer = found.client.post("/v1/choices", json=request).json()
            adaptation = reader.get(user)
            choice = adaptation.choose("c-1", topic="code", surface="chat")
            assert answer["user"] == pseudonym_text(pseudonym(user, SECRET.encode()))
            assert (answer["status"], answer["policy"]) == (adaptation.status, choice.policy)
            assert answer["values"] == choice.values
            assert answer["strengths"] == choice.strengths
            assert answer["prompt"] == choice.prompt()
            assert answer["acted_on"] == list(choice.acted_on)
            signals = {**adaptation.defaults, **adaptation.signals}
            assert {facet: each["value"] for facet, each in answer["reasons"].items()} == {
                facet: signals[facet].value for facet in choice.values if facet in signals
            }
    assert any(found.client.post("/v1/choices", json={"user": user, "unit": "c"}).json()["prompt"] for user in USERS)


def test_pin_of_a_conversation_outranks_all(service: tuple[Service, str]) -> None:
    """The value is served, named in the prompt, and sent back without a version and with propensity 1."""
    request = {"user": USERS[0], "unit": "c-1", "pinned": {"tone": "formal"}}
    answer = service[0].client.post("/v1/choices", json=request).json()
    assert (answer["values"]["tone"], answer["strengths"]["tone"]) == ("formal", "pin")
    assert {"facet": "tone", "value": "formal", "version": None, "propensity": 1.0} in answer["acted_on"]
    assert "formal" in answer["prompt"]
    for pinned in ({"tone": "shouted"}, {"colour": "red"}):
        refused = service[0].client.post("/v1/choices", json=request | {"pinned": pinned})
        assert "shouted" not in refused.text
        assert problem(refused, "invalid-request", 400)["errors"][0]["pointer"].startswith("/pinned")


def test_batch_has_the_choices_in_order(service: tuple[Service, str]) -> None:
    """Each choice is the one of a request of its own, also for a user who comes twice."""
    requests = [{"user": user, "unit": f"c-{number}"} for number, user in enumerate([*USERS, USERS[0]])]
    answer = service[0].client.post("/v1/choices:batch", json={"requests": requests})
    alone = [service[0].client.post("/v1/choices", json=request).json() for request in requests]
    assert answer.json()["choices"] == alone
    many = service[0].client.post("/v1/choices:batch", json={"requests": [requests[0]] * 501})
    assert problem(many, "invalid-request", 400)["errors"][0]["pointer"] == "/requests"


def test_catalogue_has_labels_of_the_language(service: tuple[Service, str]) -> None:
    """Names stay, labels follow the language."""
    english, german = (
        service[0].client.get("/v1/catalogue", params={"language": language}).json() for language in ("en", "de-AT")
    )
    assert [each["facet"] for each in german["facets"]] == [each["facet"] for each in english["facets"]]
    assert german["facets"][0]["title"] == "Länge der Antworten"
    assert english["facets"][0]["values"][0] == {"value": "concise", "label": "short"}
    problem(service[0].client.get("/v1/catalogue", params={"language": "no language!"}), "invalid-request", 400)


def test_context_is_that_of_a_reader_with_ages(service: tuple[Service, str]) -> None:
    """The text is the description's, alone with `Accept: text/plain`; preferences have confidence and age."""
    found, url = service
    with SignalReader(url, region="eu", secret=SECRET.encode()) as reader:
        described = {user: reader.get(user).describe("context") for user in USERS}
    user = next(user for user, each in described.items() if any(p.strength == "apply" for p in each.preferences))
    document = found.client.get(f"/v1/context/{user}").json()
    assert document["text"] == described[user].text()
    assert [each["facet"] for each in document["preferences"]] == [p.facet for p in described[user].preferences]
    sure = next(each for each in document["preferences"] if each["strength"] == "apply")
    assert sure["confidence"] > 0.5
    assert sure["age_ms"] > 0
    assert document["activity_age_ms"] >= 0
    text = found.client.get(f"/v1/context/{user}", headers={"Accept": "text/plain"})
    assert (text.text, text.headers["content-type"]) == (described[user].text(), "text/plain; charset=utf-8")


def test_known_shows_values_evidence_and_consent(service: tuple[Service, str]) -> None:
    """The document has the values that a reader serves without exploration, and the feedback behind them."""
    found, url = service
    with SignalReader(url, region="eu", secret=SECRET.encode()) as reader:
        adaptation = reader.get(USERS[0])
    known = found.client.get(f"/v1/users/{USERS[0]}").json()
    values = adaptation.choose("any", explore=False).values
    assert {each["facet"]: each["value"] for each in known["facets"]} == values
    learned = [each for each in known["facets"] if each["source"] == "learned"]
    assert learned
    assert any(each["because"] or each["against_because"] for each in learned)
    assert known["consent"]["learn"]["state"] == "granted"
    assert known["consent"]["learn"]["since_ms"] > 0
    assert known["expires_at_ms"] > known["profile"]["at"]


def test_no_user_id_is_in_logs_metrics_and_answers(service: tuple[Service, str]) -> None:
    """Neither the log of requests nor any answer has the id, also where a request fails."""
    found = service[0]
    with found.with_key(found.key) as client:
        for answer in (
            client.get("/v1/users/secret-person%2F1"),
            client.get("/v1/users/secret-person/nothing"),
            client.post("/v1/choices", json={"user": "secret-person", "unit": "c", "extra": 1}),
            client.post("/v1/choices", json={"user": "secret-person", "unit": "c", "secret-person": 1}),
            client.post(
                "/v1/choices", content=b'{"user": "secret-person"', headers={"content-type": "application/json"}
            ),
            client.get("/metrics"),
        ):
            assert "secret-person" not in answer.text
            assert "secret-person" not in str(answer.headers)
    assert '"route": "/v1/users/{user}"' in found.run.output
    assert "secret-person" not in found.run.output


def test_defaults_are_served_without_redis(tmp_path: Path) -> None:
    """Redis away: choices and context answer 200 with status unavailable; managed reads answer 503."""
    server = FragileRedis(tmp_path)
    try:
        with serving(tmp_path, server.url) as service:
            assert service.client.get("/readyz").status_code == 200
            server.kill()
            answer = service.client.post("/v1/choices", json={"user": "ada", "unit": "c"})
            assert (answer.status_code, answer.json()["status"]) == (200, "unavailable")
            assert answer.json()["values"]["length"] == "balanced"
            batch = service.client.post("/v1/choices:batch", json={"requests": [{"user": "ada", "unit": "c"}]})
            assert batch.json()["choices"] == [answer.json()]
            assert service.client.get("/v1/context/ada").json()["status"] == "unavailable"
            refused = service.client.get("/v1/users/ada")
            problem(refused, "unavailable", 503)
            assert int(refused.headers["retry-after"]) > 0
            ready = service.client.get("/readyz")
            assert (ready.status_code, ready.json()["reasons"]) == (503, ["redis: does not answer"])
            assert service.client.get("/livez").status_code == 200
    finally:
        server.kill()


def test_history_has_actions_and_changes_the_newest_first(service: tuple[Service, str]) -> None:
    """As the worker wrote the document; a user without one has neither."""
    found, url = service
    user, at_ms = pseudonym("past", SECRET.encode()), now_ms() - 1000
    history = History(
        version(at_ms, 1),
        (
            Action(at_ms=at_ms - 9, action="consent", granted=True, scopes=("learn",), states=("unasked",)),
            Action(at_ms=at_ms, action="pin", facet="tone", value="formal"),
        ),
        (Change(at_ms=at_ms, facet="tone", before=None, value="formal", source="user"),),
    )
    with redis.Redis.from_url(url) as client:
        client.set(RegionKeys("eu").history(user), encode_history(history))
    answer = found.client.get("/v1/users/past/history").json()
    assert [(each["action"], each["can_undo"]) for each in answer["actions"]] == [("pin", True), ("consent", False)]
    assert answer["changes"] == [{"at_ms": at_ms, "facet": "tone", "from": None, "to": "formal", "source": "user"}]
    assert found.client.get("/v1/users/new/history").json() == {"actions": [], "changes": []}


def test_unreadable_active_namespace_counts_as_none(service: tuple[Service, str]) -> None:
    """As for readers: the user's signals are those of the first namespace, and have an end."""
    found, url = service
    with redis.Redis.from_url(url) as client:
        client.set(RegionKeys("eu").active, "\nno name")
        known = [found.client.get(f"/v1/users/{user}") for user in USERS]
        client.delete(RegionKeys("eu").active)
    assert {answer.status_code for answer in known} == {200}
    assert any(answer.json()["expires_at_ms"] for answer in known)


def test_head_has_no_body(service: tuple[Service, str]) -> None:
    """HEAD is GET without a body."""
    answer: httpx2.Response = service[0].client.head("/v1/catalogue")
    assert (answer.status_code, answer.content) == (200, b"")
