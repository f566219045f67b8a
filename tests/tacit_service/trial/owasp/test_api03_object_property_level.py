"""API3:2023 Broken object property level authorization: members beyond the contract, in requests and in answers."""

from typing import Any

import pytest

from tests.tacit_service.trial.owasp.routes import API, KNOWN, NAMES, USER, Tried
from tests.tacit_service.trial.service import CANARY, Served

WITH_BODY = [each for each in API if isinstance(each.body, dict)]
MORE = {
    "admin": True,
    "scopes": ["manage"],
    "is_permitted": True,
    "by": "root",
    "region": "us",
    "at": 1,
    "version": "9",
}


@pytest.mark.parametrize("tried", WITH_BODY, ids=[" ".join(each.route) for each in WITH_BODY])
def test_unknown_member_is_refused(service: Served, tried: Tried) -> None:
    """None is dropped in silence, so that no client relies on it."""
    for name, value in MORE.items():
        answer = service.ask(tried.route.method, tried.route.address, tried.body | {name: value})
        assert (answer.status, answer.problem) == (400, "invalid-request"), name


def test_unknown_member_of_an_event_does_not_reach_the_source(service: Served) -> None:
    """Events are encoded from the members of the contract; another assistant may send more."""
    event = {"schema": 1, "event_id": "extra-1", "user_id": f"{CANARY}-1", "region": "eu", "type": "consent",
             "at": 1_790_000_000_000, "granted": True, "password": "hunter2"}  # fmt: skip
    assert service.ask("POST", "/v1/events", event).status in {202, 207}
    source = service.run.log.with_name("events.jsonl").read_text()
    assert "hunter2" not in source


def members(found: Any, schema: Any, components: Any, at: str = "$") -> None:
    """Fail if a document has a member that its schema does not have."""
    while "$ref" in schema:
        schema = components[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        kinds = {"object": dict, "array": list}
        resolved = [components[each["$ref"].rpartition("/")[2]] if "$ref" in each else each for each in schema["anyOf"]]
        schema = next((each for each in resolved if isinstance(found, kinds.get(each.get("type"), ()))), {})
    if not schema:
        return  # any document, as in an export
    if isinstance(found, dict):
        properties, more = schema.get("properties", {}), schema.get("additionalProperties")
        for name, value in found.items():
            assert name in properties or more, f"{at}.{name} is not documented"
            members(value, properties.get(name, more if isinstance(more, dict) else {}), components, f"{at}.{name}")
    if isinstance(found, list):
        for item in found:
            if isinstance(schema.get("items"), dict):
                members(item, schema["items"], components, f"{at}[]")


READS = [
    each
    for each in API
    if each.route.method == "GET" and each.route.path not in {"/v1/changes", "/metrics", "/v1/openapi.json"}
]


@pytest.mark.parametrize("tried", READS + WITH_BODY, ids=[" ".join(each.route) for each in READS + WITH_BODY])
def test_answer_has_documented_members_and_no_user_id(service: Served, tried: Tried) -> None:
    """For a user with signals; a user appears by the pseudonym."""
    address = tried.route.address.replace(USER, KNOWN)
    body = tried.body and {**tried.body, **({"user": KNOWN} if "user" in tried.body else {})}
    answer = service.ask(tried.route.method, address, body)
    document = service.ask("GET", "/v1/openapi.json").document
    responses = document["paths"][tried.route.path][tried.route.method.lower()]["responses"]
    content = responses[str(answer.status)]["content"]
    schema = content[answer.headers["content-type"].partition(";")[0]]["schema"]
    members(answer.document, schema, document["components"]["schemas"])
    assert KNOWN not in answer.body.decode()
    assert KNOWN not in str(answer.headers)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "GET /v1/changes"])
def test_problem_has_no_value_of_the_request(service: Served, name: str) -> None:
    """Not the user, not the path, not the query, not the body."""
    tried = API[NAMES.index(name)]
    marked = tried.route.path.replace("{user}", f"{CANARY}%00").replace("{facet}", CANARY).replace("{number}", CANARY)
    query = f"{CANARY}={CANARY}&language={CANARY}!&user={CANARY}%00"
    body = None if tried.body is None else {CANARY: CANARY}
    answer = service.ask(tried.route.method, f"{marked}?{query}", body)
    assert answer.status in {200, 207, 400, 404, 405}
    assert CANARY not in answer.body.decode()
    assert CANARY not in str(answer.headers)
