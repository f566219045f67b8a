"""Access: keys in a file, signed tokens, scopes and rates, tried on a real `tacit serve`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from time import monotonic, time
from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet, OctKey, OKPKey, RSAKey

from tests.support.conditions import eventually
from tests.support.service import KEYS, Service, made_key, problem, serving
from tests.support.threads import served_in_thread

REDIS = "redis://127.0.0.1:1"
ISSUER = "https://issuer.example"
CHOICE = {"user": "ada", "unit": "c"}
CALLS = {
    ("POST", "/v1/choices"): "choose",
    ("POST", "/v1/choices:batch"): "choose",
    ("GET", "/v1/context/ada"): "choose",
    ("GET", "/v1/changes"): "choose",
    ("GET", "/v1/users/ada"): "manage",
    ("PUT", "/v1/users/ada/pins/tone"): "manage",
    ("DELETE", "/v1/users/ada/pins/tone"): "manage",
    ("PUT", "/v1/users/ada/consent"): "manage",
    ("DELETE", "/v1/users/ada"): "manage",
    ("DELETE", "/v1/users/ada/facets/tone"): "manage",
    ("GET", "/v1/users/ada/history"): "manage",
    ("GET", "/v1/receipts/r-0"): "manage",
    ("POST", "/v1/links"): "manage",
    ("GET", "/v1/users/ada/why"): "export",
    ("GET", "/v1/users/ada/export"): "export",
}


SCOPES = ("choose", "send", "manage", "export")
SCOPED = {f"only-{scope}": scope for scope in SCOPES} | {
    f"no-{scope}": ",".join(other for other in SCOPES if other != scope) for scope in SCOPES
}
"""Names of keys, and their scopes."""
KEYS_OF: dict[str, str] = {}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield a service without Redis: who may ask does not depend on the answer."""
    folder = tmp_path_factory.mktemp("access")
    KEYS_OF.update({name: made_key(folder, name, scopes) for name, scopes in SCOPED.items()})
    with serving(folder, REDIS, "--source", "events.jsonl", "--rate-user", "1000") as found:
        yield found


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_operation_needs_its_scope(service: Service, call: tuple[str, str]) -> None:
    """Without a token: 401; with all scopes but the one: 403, before anything is read or sent."""
    method, path = call
    with service.with_key("") as client:
        refused = client.request(method, path)
        problem(refused, "unauthorized", 401)
        assert refused.headers["www-authenticate"].startswith("Bearer")
    with service.with_key(KEYS_OF[f"no-{CALLS[call]}"]) as client:
        refused = client.request(method, path)
        problem(refused, "forbidden", 403)
        assert f'scope="{CALLS[call]}"' in refused.headers["www-authenticate"]


def test_scopes_of_events_depend_on_their_kind(service: Service) -> None:
    """An interaction event needs `send`, a control event `manage`; one without its scope is rejected alone."""
    at = int(time() * 1000)
    common = {"schema": 1, "user_id": "ada", "at": at, "region": "eu"}
    events = [
        {"type": "interaction", "event_id": "i", **common},
        {"type": "pin", "event_id": "p", "facet": "tone", "value": "formal", **common},
    ]
    for scopes, outcomes in (("send", ["accepted", "rejected"]), ("manage", ["rejected", "accepted"])):
        with service.with_key(KEYS_OF[f"only-{scopes}"]) as client:
            answer = client.post("/v1/events", json=events)
        assert answer.status_code == 207
        assert [each["outcome"] for each in answer.json()["outcomes"]] == outcomes
        assert {each.get("reason") for each in answer.json()["outcomes"]} == {None, "forbidden"}
    with service.with_key(KEYS_OF["only-choose"]) as client:
        problem(client.post("/v1/events", json=events), "forbidden", 403)


@pytest.mark.parametrize("token", ["x", "tk_" + "A" * 43, "a.b.c", "é", "A" * 9000])
def test_invalid_token_is_refused(service: Service, token: str) -> None:
    """A token of any wrong form gets 401."""
    headers = [(b"Authorization", b"Bearer " + token.encode("latin-1"))]
    refused = httpx2.post(f"{service.url}/v1/choices", json=CHOICE, headers=headers)
    problem(refused, "unauthorized", 401)


def test_key_ends_and_is_taken_back(tmp_path: Path) -> None:
    """A key is void after its time, and within a second after its line is deleted; other keys stay valid."""
    short = made_key(tmp_path, "short", "choose", "--days", "0.00003")
    deleted = made_key(tmp_path, "deleted", "choose")
    with (
        serving(tmp_path, REDIS) as service,
        service.with_key(deleted) as client,
        service.with_key(short) as ended,
    ):
        assert client.get("/v1/catalogue").status_code == 200
        file = tmp_path / KEYS
        kept = [line for line in file.read_text().splitlines() if '"deleted"' not in line]
        file.write_text("\n".join(kept) + "\n")
        eventually(lambda: client.get("/v1/catalogue").status_code == 401, within_s=5, what="the key to be void")
        eventually(lambda: ended.get("/v1/catalogue").status_code == 401, within_s=10, what="the key to end")
        assert service.client.get("/v1/catalogue").status_code == 200
        file.write_text("no key\n")

        def is_noticed() -> bool:
            assert service.client.get("/v1/catalogue").status_code == 200
            return "keys.unreadable" in service.run.output

        eventually(is_noticed, within_s=5, what="the damaged file to be noticed")


def test_stream_of_changes_ends_with_its_key(tmp_path: Path) -> None:
    """Also without a change; the stream of another key stays open."""
    deleted = made_key(tmp_path, "deleted", "choose")
    limits = {"tacit_service.change_stream.KEEP_ALIVE_S": 0.2}
    with (
        serving(tmp_path, REDIS, limits=limits) as service,
        service.with_key(deleted) as client,
        client.stream("GET", "/v1/changes") as stream,
        service.client.stream("GET", "/v1/changes") as other,
    ):
        others = other.iter_lines()
        assert next(others) == ": keep-alive"
        file = tmp_path / KEYS
        file.write_text("\n".join(line for line in file.read_text().splitlines() if '"deleted"' not in line) + "\n")
        lines = [*islice(stream.iter_lines(), 100)]
        assert len(lines) < 100, "the stream is open for 10 seconds"
        assert {*lines} <= {": keep-alive", ""}
        assert ": keep-alive" in (next(others), next(others))
        problem(client.get("/v1/changes"), "unauthorized", 401)


def test_file_has_no_key(tmp_path: Path) -> None:
    """The file has hashes only, and only its owner reads it; a name is taken once."""
    key = made_key(tmp_path)
    assert key.startswith("tk_")
    assert key not in (tmp_path / KEYS).read_text()
    assert (tmp_path / KEYS).stat().st_mode & 0o077 == 0
    with pytest.raises(AssertionError, match="already"):
        made_key(tmp_path)
    with pytest.raises(AssertionError, match="no scope"):
        made_key(tmp_path, "b", "all")


# Signed tokens


def signed(key: Key, algorithm: str = "RS256", *, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """Return a token with good claims, but for those given; None leaves one out."""
    good = {"iss": ISSUER, "aud": "tacit", "sub": "svc", "exp": int(time()) + 60, "scope": "choose other"}
    used = {name: value for name, value in (good | claims).items() if value is not None}
    return jwt.encode({"alg": algorithm, **(header or {})}, used, key, algorithms=[algorithm])


RSA, OTHER = RSAKey.generate_key(2048, {"kid": "r"}), RSAKey.generate_key(2048, {"kid": "r"})
EC, OKP = ECKey.generate_key("P-256", {"kid": "e"}), OKPKey.generate_key("Ed25519", {"kid": "o"})


def jwks(*keys: Key) -> str:
    """Return a JWKS document of public keys."""
    return json.dumps(KeySet(list(keys)).as_dict(private=False))


@pytest.fixture(scope="module")
def jwt_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield a service that takes tokens of three keys in a file."""
    folder = tmp_path_factory.mktemp("jwt")
    (folder / "jwks.json").write_text(jwks(RSA, EC, OKP))
    with serving(folder, REDIS, "--jwks", "jwks.json", "--jwt-issuer", ISSUER, "--source", "e.jsonl") as found:
        yield found


def status(service: Service, token: str) -> int:
    with service.with_key(token) as client:
        return client.post("/v1/choices", json=CHOICE).status_code


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (EC, "ES256"), (OKP, "EdDSA")])
def test_signed_token_is_taken(jwt_service: Service, key: Key, algorithm: str) -> None:
    """Its scopes hold, and no others; an audience may be one of several."""
    header = {"kid": key.kid}
    token = signed(key, algorithm, header=header)
    assert status(jwt_service, token) == 200
    assert status(jwt_service, signed(key, algorithm, header=header, aud=["other", "tacit"])) == 200
    with jwt_service.with_key(token) as client:
        problem(client.get("/v1/users/ada"), "forbidden", 403)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": "other"},
        {"exp": int(time()) - 60},
        {"exp": None},
        {"sub": None},
        {"sub": "user"},
        {"sub": "a b"},
        {"sub": 7},
        {"nbf": int(time()) + 86_400},
        {"iss": None},
        {"scope": 7},
    ],
    ids=lambda claims: "-".join(claims),
)
def test_token_with_wrong_claims_is_refused(jwt_service: Service, claims: dict[str, Any]) -> None:
    """Issuer, audience, times and name are required."""
    assert status(jwt_service, signed(RSA, header={"kid": "r"}, **claims)) == 401


def test_token_of_another_key_or_algorithm_is_refused(jwt_service: Service) -> None:
    """Another key of the same name, no signature, a shared secret, and an algorithm that is not allowed."""
    public = OctKey.import_key(b"shared-secret-of-32-bytes-or-more")
    assert status(jwt_service, signed(OTHER, header={"kid": "r"})) == 401
    assert status(jwt_service, signed(public, "HS256", header={"kid": "r"})) == 401
    assert status(jwt_service, signed(RSA, "RS512", header={"kid": "r"})) == 401
    head, body, _ = signed(RSA, header={"kid": "r"}).split(".")
    assert status(jwt_service, f"{head}.{body}.") == 401
    assert status(jwt_service, f"eyJhbGciOiJub25lIn0.{body}.") == 401


def test_name_of_the_token_is_in_the_audit(jwt_service: Service) -> None:
    """The audit has the name, and the pseudonym in place of the user id."""
    token = signed(RSA, header={"kid": "r"}, scope="manage", sub="svc:support")
    with jwt_service.with_key(token) as client:
        assert client.put("/v1/users/ada/pins/tone", json={"value": "formal"}).status_code == 202
    line = jwt_service.audit()[-1]
    assert (line["by"], line["action"], line["outcome"]) == ("svc:support", "pin", "sent")
    assert line["user"].startswith("k1.")


@contextmanager
def key_server(document: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Serve the newest document of a list, and yield the URL and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if not document[-1]:
                self.send_error(500)
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(document[-1].encode())

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with served_in_thread(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield f"http://127.0.0.1:{server.server_address[1]}/jwks", asked


def test_keys_of_a_url_are_renewed_for_an_unknown_key(tmp_path: Path) -> None:
    """A rotated key works soon; a failing server leaves the last good set; unknown keys cause few fetches."""
    new = RSAKey.generate_key(2048, {"kid": "new"})
    documents = [jwks(RSA)]
    limits = {"tacit_service.access.key_set.RETRY_S": 0.5}
    with (
        key_server(documents) as (url, asked),
        serving(tmp_path, REDIS, "--jwks", url, "--jwt-issuer", ISSUER, limits=limits) as service,
    ):
        old_token, new_token = signed(RSA, header={"kid": "r"}), signed(new, header={"kid": "new"})
        eventually(lambda: status(service, old_token) == 200, within_s=10, what="the first fetch")
        documents.append(jwks(new))
        eventually(lambda: status(service, new_token) == 200, within_s=10, what="the fetch for an unknown key")
        assert status(service, old_token) == 401, "a removed key is void at once"
        documents.append("")
        fetched, since_s = len(asked), monotonic()
        for _ in range(20):
            assert status(service, old_token) == 401
        assert len(asked) - fetched <= 1 + (monotonic() - since_s) / 0.5
        assert status(service, new_token) == 200


# Rates


def test_invalid_tokens_have_a_rate(tmp_path: Path) -> None:
    """An address with many of them gets 429, and a valid token from there is taken meanwhile."""
    limits = {"tacit_service.access.callers.INVALID_PER_S": 2.0}
    with serving(tmp_path, REDIS, limits=limits) as service, service.with_key("tk_guess") as guesser:
        answers = [guesser.get("/v1/catalogue") for _ in range(60)]
        assert answers[0].status_code == 401
        refused = problem(next(answer for answer in answers if answer.status_code == 429), "too-many-requests", 429)
        assert refused["detail"].startswith("At most 2 invalid tokens per second are allowed per address")
        assert service.client.get("/v1/catalogue").status_code == 200
        assert 'tacit_http_refused_total{rate="address"} 0.0' not in service.client.get("/metrics").text
        eventually(lambda: guesser.get("/v1/catalogue").status_code == 401, within_s=5, what="a free place")


def test_rates_of_token_and_user_are_limited(tmp_path: Path) -> None:
    """429 has the time to wait, after which a request is taken; other users and tokens are not affected."""
    other = made_key(tmp_path, "other")
    with serving(tmp_path, REDIS, "--rate-user", "3", "--rate-token", "20") as service:
        first = [service.client.post("/v1/choices", json=CHOICE) for _ in range(5)]
        assert first[0].status_code == 200
        refused = next(answer for answer in first if answer.status_code == 429)
        problem(refused, "too-many-requests", 429)
        assert int(refused.headers["retry-after"]) == 1
        assert refused.headers["ratelimit-policy"] == '"user";q=3;w=1'
        assert service.client.post("/v1/choices", json=CHOICE | {"user": "bo"}).status_code == 200
        eventually(
            lambda: service.client.post("/v1/choices", json=CHOICE).status_code == 200, within_s=5, what="a free place"
        )
        answers = [service.client.get("/v1/catalogue") for _ in range(60)]
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert refused.headers["ratelimit-policy"] == '"token";q=20;w=1'
        with service.with_key(other) as client:
            assert client.get("/v1/catalogue").status_code == 200
        assert 'tacit_http_refused_total{rate="token"}' in service.client.get("/metrics").text
