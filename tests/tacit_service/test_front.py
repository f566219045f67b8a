"""First layer: request ids, headers, raw paths, limits of time and size, and the end of the service."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tacit.contract.pseudonyms import pseudonym, pseudonym_text
from tests.support.commands import SECRET, running
from tests.support.service import KEYS, LINK_SECRET, Service, made_key, problem, serving

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield a service; its Redis does not answer, which no test here needs."""
    folder = tmp_path_factory.mktemp("front")
    words = ("--cors-origin", "https://chat.example", "--source", "events.jsonl")
    limits = {"tacit_service.http.bodies.BODY_S": 1.0}
    with serving(folder, "redis://127.0.0.1:1", *words, limits=limits) as found:
        yield found


@pytest.mark.parametrize("path", ["/livez", "/v1/nothing", "/v1/choices", "/v1/users/ada"])
def test_every_answer_has_the_headers(service: Service, path: str) -> None:
    """Errors have them, too."""
    answer = service.client.get(path)
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert answer.headers["x-request-id"]
    assert "access-control-allow-origin" not in answer.headers


def test_address_of_another_service_is_refused(service: Service) -> None:
    """Else the system spreads the connections over both."""
    address = service.url.removeprefix("http://")
    words = ["serve", "--redis", "redis://127.0.0.1:1", "--listen", address]
    with running(words, service.folder / "second.log") as run:
        assert run.process.wait(10) == 2
        assert f"listen: {address} cannot be bound" in run.output


def test_port_0_is_a_free_port(tmp_path: Path) -> None:
    """The log names it, and links have it."""
    key = made_key(tmp_path)
    words = ["serve", "--redis", "redis://127.0.0.1:1", "--listen", "127.0.0.1:0", "--keys", KEYS]
    with running([*words, "--log-level", "info"], tmp_path / "serve.log", TACIT_LINK_SECRET=LINK_SECRET) as run:
        run.wait_for(lambda: "service.listening" in run.output, "the address")
        (url,) = {*re.findall(r"http://127\.0\.0\.1:[1-9]\d*", run.output)}
        headers = {"Authorization": f"Bearer {key}"}
        made = httpx2.post(f"{url}/v1/links", json={"user": "ada"}, headers=headers, timeout=30)
        assert made.json()["url"].startswith(f"{url}/page?link=")
        assert httpx2.get(made.json()["url"], timeout=30).status_code == 200


def test_request_id_is_kept_if_it_is_safe(service: Service) -> None:
    """A long one, or one with other characters, is replaced."""
    for given, is_kept in (("job-1:a.b_c", True), ("x" * 65, False), ("a b", False), ("{}", False)):
        found = service.client.get("/livez", headers={"X-Request-Id": given}).headers["x-request-id"]
        assert (found == given) == is_kept


def test_errors_are_problem_details(service: Service) -> None:
    """Unknown path, wrong method, malformed JSON, wrong media type, unknown member and a large body."""
    client = service.client
    problem(client.get("/v1/nothing"), "not-found", 404)
    problem(client.get("/"), "not-found", 404)
    refused = client.post("/v1/users/ada/pins/tone")
    problem(refused, "method-not-allowed", 405)
    assert {*refused.headers["allow"].split(", ")} == {"PUT", "DELETE"}
    json_type = {"content-type": "application/json"}
    for body in (b"", b"{", b"\xff", b"[" * 5000, b'{"user":"a","unit":"c","x":1}', b'{"user":"a\\u0000","unit":"c"}'):
        problem(client.post("/v1/choices", content=body, headers=json_type), "invalid-request", 400)
    problem(
        client.post("/v1/choices", content=b"{}", headers={"content-type": "text/plain"}), "unsupported-media-type", 415
    )
    refused = client.post("/v1/choices", content=b" " * 70_000, headers=json_type)
    problem(refused, "too-large", 413)
    assert refused.headers["connection"] == "close"  # the rest of the body is not read
    problem(client.get("/v1/catalogue?language=en&language=de"), "invalid-request", 400)
    problem(client.get("/v1/users/" + "a" * 5000), "not-found", 404)


@pytest.mark.parametrize("user", ["a/b", "ä", "50%", "a b", "../../etc", "%2F", "名前", "."])
def test_user_id_is_one_encoded_part_of_the_path(service: Service, user: str) -> None:
    """The user of an encoded id is that of the same id in a body."""
    encoded = "".join(f"%{byte:02X}" for byte in user.encode())
    text = service.client.get(f"{service.url}/v1/context/{encoded}").json()
    assert text["user"] == pseudonym_text(pseudonym(user, SECRET.encode()))


@pytest.mark.parametrize("encoded", ["%00", "%FF", "a" * 129, "%C2%85"])
def test_user_id_outside_of_the_contract_is_invalid(service: Service, encoded: str) -> None:
    """Control characters, bytes that are not UTF-8, and long ids."""
    problem(service.client.get(f"{service.url}/v1/context/{encoded}"), "invalid-request", 400)


def test_cors_is_open_for_the_named_origin_only(service: Service) -> None:
    """A preflight of the origin is answered; another origin gets no permission."""
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    good = service.client.options("/v1/choices", headers={"Origin": "https://chat.example", **asked})
    assert (good.status_code, good.headers["access-control-allow-origin"]) == (200, "https://chat.example")
    bad = service.client.options("/v1/choices", headers={"Origin": "https://evil.example", **asked})
    assert "access-control-allow-origin" not in bad.headers
    refused = service.client.get("/v1/nothing", headers={"Origin": "https://chat.example"})
    assert refused.headers["access-control-allow-origin"] == "https://chat.example"


def test_silent_client_is_disconnected(tmp_path: Path) -> None:
    """A connection without the whole headers ends; others are served meanwhile."""
    with serving(tmp_path, "redis://127.0.0.1:1", limits={"tacit_service.server.HEADER_MS": 1000}) as service:
        host, port = service.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as silent:
            silent.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n")
            assert httpx2.get(f"{service.url}/livez").status_code == 200
            assert silent.recv(1024) == b""


def test_body_that_stops_is_answered(service: Service) -> None:
    """A body that does not arrive within the limit gets 408."""
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as slow:
        slow.sendall(
            b"POST /v1/choices HTTP/1.1\r\nHost: x\r\nContent-Length: 60\r\n"
            b"Authorization: Bearer " + service.key.encode() + b'\r\n\r\n{"user"'
        )
        assert slow.recv(4096).startswith(b"HTTP/1.1 408")


def test_service_ends_with_status_0_while_streams_are_open(tmp_path_factory: pytest.TempPathFactory) -> None:
    """SIGTERM closes open streams of changes at once."""
    with (
        serving(tmp_path_factory.mktemp("end"), "redis://127.0.0.1:1") as found,
        found.client.stream("GET", "/v1/changes") as stream,
    ):
        lines = stream.iter_lines()
        next(lines)
        assert found.run.stop() == 0
        assert not [line for line in lines if line.startswith("data")]
