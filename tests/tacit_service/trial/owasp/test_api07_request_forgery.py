"""API7:2023 Server side request forgery: the service fetches addresses of its settings only, without redirects."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

from tacit_lab.embedded import EmbeddedRedis
from tests.support.conditions import eventually
from tests.tacit_service.trial.owasp.conftest import ISSUER
from tests.tacit_service.trial.owasp.test_api02_authentication import CLAIMS
from tests.tacit_service.trial.service import CANARY, Served, served


class Site:
    """Site that counts requests."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/jwks.json"
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b'{"keys": []}'
        self.requests = 0


@contextmanager
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.requests += 1
            self.send_response(found.status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Site(server.server_address[1])
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_redirect_of_the_key_set_is_not_followed(redis: EmbeddedRedis, tmp_path: Path) -> None:
    """A provider that was taken over could otherwise lead the service to addresses behind its firewall."""
    with site() as inside, site() as provider:
        provider.status, provider.headers = 302, {"Location": inside.url}
        words = ("--jwks", provider.url, "--jwt-issuer", ISSUER)
        with served(tmp_path, redis.url, *words) as service:
            eventually(lambda: "jwks.unavailable" in service.run.output, within_s=60, what="the failed fetch")
            assert service.choose().status == 200
        assert (provider.requests, inside.requests) == (1, 0)


def test_address_in_a_token_is_not_fetched(service: Served) -> None:
    """Neither `jku` nor `x5u` of a token's header."""
    with site() as evil:
        key = RSAKey.generate_key(2048, {"kid": "evil"})
        evil.body = json.dumps({"keys": [key.as_dict(private=False)]}).encode()
        for name in ("jku", "x5u"):
            token = jwt.encode({"alg": "RS256", "kid": "evil", name: evil.url}, CLAIMS, key)
            assert service.ask("POST", "/v1/choices", {"user": f"{CANARY}-1", "unit": "u"}, key=token).status == 401
        assert evil.requests == 0


def test_no_request_has_a_member_for_an_address(service: Served) -> None:
    """No parameter and no member of a body is a URL, a host, a path of a file or a callback."""
    document = service.ask("GET", "/v1/openapi.json").document
    requests = [operation.get("requestBody", {}) for path in document["paths"].values() for operation in path.values()]
    parameters = [
        each["name"] for path in document["paths"].values() for found in path.values() for each in found["parameters"]
    ]
    names = {*parameters, *_names(requests, document["components"]["schemas"])}
    assert not [
        name for name in names if any(part in name.lower() for part in ("url", "uri", "host", "callback", "path"))
    ]
    assert {"user", "user_id", "expires_in_s", "facet"} <= names


def _names(found: Any, components: Any) -> set[str]:
    """Return the names of all members of requests."""
    names: set[str] = set()
    waiting, seen = [found], set()
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, dict):
            names |= set(each.get("properties", {}))
            waiting += each.values()
            reference = each.get("$ref")
            if reference and reference not in seen:
                seen.add(reference)
                waiting.append(components[reference.rpartition("/")[2]])
    return names
