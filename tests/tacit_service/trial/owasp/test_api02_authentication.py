"""API2:2023 Broken authentication: forged, foreign, old and cut tokens; rotation of keys."""

import hmac
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from tacit_service.access.links import Links, Visitor
from tests.support.conditions import eventually
from tests.support.service import LINK_SECRET
from tests.tacit_service.trial.owasp.conftest import ISSUER, KeyPair
from tests.tacit_service.trial.service import CANARY, Answer, Served

NOW_S = int(time.time())
CLAIMS = {"iss": ISSUER, "aud": "tacit", "sub": "assistant", "scope": "choose", "exp": NOW_S + 3600}
RS256 = {"alg": "RS256", "kid": "first"}


def signed(key: Any, header: Mapping[str, Any] = RS256, algorithms: list[str] | None = None, **claims: Any) -> str:
    """Return a token; a claim of None is left out."""
    kept = {name: value for name, value in (CLAIMS | claims).items() if value is not None}
    return jwt.encode(dict(header), kept, key, algorithms=algorithms or [str(header["alg"])])


def unsigned(header: Mapping[str, Any], signature: str = "") -> str:
    return ".".join([*(_encoded(json.dumps(part).encode()) for part in (header, CLAIMS)), signature])


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def confused(secret: bytes) -> str:
    """Return a token that is signed with a public text, as if it were a secret."""
    text = unsigned({"alg": "HS256", "kid": "first"})[:-1]
    return f"{text}.{_encoded(hmac.digest(secret, text.encode(), 'sha256'))}"


OTHER = RSAKey.generate_key(2048, {"kid": "first"})
FORGED: dict[str, Callable[[RSAKey], str]] = {
    "alg none": lambda _: unsigned({"alg": "none", "kid": "first"}),
    "alg None with the signature of another token": lambda key: unsigned({"alg": "None"}, signed(key).split(".")[2]),
    "public key as the secret of HS256": lambda key: confused(key.as_pem(private=False)),
    "JSON of the public key as the secret of HS256": lambda key: confused(
        json.dumps(key.as_dict(private=False)).encode()
    ),
    "empty secret of HS256": lambda _: unsigned({"alg": "HS256", "kid": "first"}),
    "algorithm that is not allowed": lambda key: signed(key, {"alg": "RS512", "kid": "first"}),
    "another key of the same name": lambda _: signed(OTHER),
    "unknown key": lambda key: signed(key, {"alg": "RS256", "kid": "unknown"}),
    "key of a path": lambda _: signed(OTHER, {"alg": "RS256", "kid": "../../../dev/null"}),
    "key in the header": lambda _: signed(OTHER, {"alg": "RS256", "jwk": OTHER.as_dict(private=False)}),
    "another kind of key": lambda _: signed(ECKey.generate_key("P-256"), {"alg": "ES256", "kid": "first"}),
    "expired": lambda key: signed(key, exp=NOW_S - 60),
    "expiry as text": lambda key: signed(key, exp=str(NOW_S + 3600)),
    "no expiry": lambda key: signed(key, exp=None),
    "not valid yet": lambda key: signed(key, nbf=NOW_S + 86_400),
    "another audience": lambda key: signed(key, aud="other"),
    "no audience": lambda key: signed(key, aud=None),
    "another issuer": lambda key: signed(key, iss=ISSUER + ".evil"),
    "no issuer": lambda key: signed(key, iss=None),
    "no subject": lambda key: signed(key, sub=None),
    "subject of page users": lambda key: signed(key, sub="user"),
    "subject that forges a log line": lambda key: signed(key, sub="a\n{"),
    "scope as a list": lambda key: signed(key, scope=["choose"]),
    "cut signature": lambda key: signed(key)[:-8],
    "no signature": lambda key: signed(key).rpartition(".")[0] + ".",
    "changed claims": lambda key: _changed(signed(key)),
    "four parts": lambda key: signed(key) + ".x",
    "not base64": lambda _: "a.b.c",
    "long": lambda key: signed(key, more="x" * 9000),
    "token of a link": lambda _: Links(LINK_SECRET).link(Visitor("a", None), 300)[0],
}


def _changed(token: str) -> str:
    head, claims, signature = token.split(".")
    changed = json.loads(urlsafe_b64decode(claims + "==")) | {"scope": "choose send manage export"}
    return ".".join([head, _encoded(json.dumps(changed).encode()), signature])


def choose(service: Served, token: str) -> Answer:
    return service.ask("POST", "/v1/choices", {"user": f"{CANARY}-1", "unit": "u"}, key=token)


def test_signed_token_is_valid(service: Served, key_pair: KeyPair) -> None:
    """Else the next test would prove nothing; a scope that does not exist grants nothing."""
    assert choose(service, signed(key_pair.private)).status == 200
    assert choose(service, signed(key_pair.private, aud=["other", "tacit"], scope="choose admin")).status == 200
    assert choose(service, signed(key_pair.private, scope="admin *")).status == 403
    assert choose(service, signed(key_pair.private, scope=None)).status == 403


@pytest.mark.parametrize("name", FORGED)
def test_forged_token_is_refused(service: Served, key_pair: KeyPair, name: str) -> None:
    """All have the same answer, with no hint at the cause."""
    answer = choose(service, FORGED[name](key_pair.private))
    assert (answer.status, answer.problem) == (401, "unauthorized")
    assert answer.document["detail"] == choose(service, "x").document["detail"]


def test_cut_and_changed_keys_are_refused(service: Served) -> None:
    """So are the hash of a key, its name, and a key in another place of the request."""
    key = service.keys["choose"]
    for wrong in (key[:-1], key + "A", key[3:], key.lower(), key.swapcase(), "tk_" + "A" * 43, "choose "):
        assert choose(service, wrong).status == 401
    assert choose(service, sha256(key.encode()).hexdigest()).status == 401
    body = {"user": f"{CANARY}-1", "unit": "u"}
    for headers in (
        {"Authorization": f"Basic {key}"},
        {"Authorization": key},
        {"X-Api-Key": key},
        {"Cookie": f"Authorization={key}"},
    ):
        assert service.ask("POST", "/v1/choices", body, key="", headers=headers).status == 401
    assert service.ask("POST", f"/v1/choices?access_token={key}", body, key="").status == 401


def test_guesses_are_refused_and_lock_out_no_holder(service: Served) -> None:
    """A key has 256 random bits, so that no number of guesses helps; the holder of a key is served meanwhile."""
    statuses = {choose(service, f"tk_{number:043}").status for number in range(500)}
    assert 401 in statuses <= {401, 429}
    assert service.choose().status == 200


def test_rotation_of_signing_keys(service: Served, key_pair: KeyPair) -> None:
    """A new key is valid within seconds, and a removed one is void, also for a token that was used before."""
    new = RSAKey.generate_key(2048, {"kid": "second"})
    old = key_pair.jwks.read_text()
    key_pair.jwks.write_text(json.dumps({"keys": [new.as_dict(private=False)]}))
    token, earlier = signed(new, {"alg": "RS256", "kid": "second"}), signed(key_pair.private)
    try:
        eventually(lambda: choose(service, token).status == 200, within_s=60, what="the new key")
        assert choose(service, earlier).status == 401
    finally:
        key_pair.jwks.write_text(old)
    eventually(lambda: choose(service, earlier).status == 200, within_s=60, what="the first key")


def test_removed_key_of_the_file_is_void_within_seconds(service: Served) -> None:
    """Also where it was used a moment ago."""
    path = service.run.log.with_name("keys.jsonl")
    lines = path.read_text()
    assert service.ask("GET", "/v1/catalogue", key="export").status == 200
    path.write_text("".join(line for line in lines.splitlines(True) if '"export"' not in line or '"all"' in line))
    try:
        eventually(lambda: service.ask("GET", "/v1/catalogue", key="export").status == 401, within_s=60, what="the end")
    finally:
        path.write_text(lines)
    eventually(lambda: service.ask("GET", "/v1/catalogue", key="export").status == 200, within_s=60, what="the key")
