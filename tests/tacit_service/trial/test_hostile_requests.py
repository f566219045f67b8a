"""Hostile requests: each is answered by a documented problem or closed, and the service answers others meanwhile."""

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest

from tacit.contract.pseudonyms import pseudonym, pseudonym_text
from tacit_lab.embedded import EmbeddedRedis
from tests.support.commands import SECRET
from tests.support.redis_server import BINARIES
from tests.tacit_service.trial.service import CANARY, UNLIMITED, Answer, Served, answer_from, served

JSON = "Content-Type: application/json"
GROWTH_MIB = 48.0
"""Growth of the process that all of this module may cause; one kept body of 100 MB would show."""
SLOWEST_S = 5.0
"""Time for a choice on a busy machine; `test_many_slow_requests_do_not_hold_up_others` has the exact order."""
SHORT_BODY = {"tacit_service.http.bodies.BODY_S": 1.0}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "events.jsonl").touch()
    with (
        EmbeddedRedis(BINARIES["redis-6.2"]) as redis,
        served(folder, redis.url, "--source", str(folder / "events.jsonl"), *UNLIMITED, limits=SHORT_BODY) as found,
    ):
        for _ in range(20):
            found.choose()
        before = found.rss_mib
        yield found
        assert found.rss_mib - before < GROWTH_MIB


@pytest.fixture(autouse=True)
def others_are_served(service: Served) -> Iterator[None]:
    """Ask for choices while a test runs and after it: each is answered in time."""
    is_over = threading.Event()
    slowest = 0.0
    failed: list[Answer] = []

    def ask() -> None:
        nonlocal slowest
        while True:
            start = time.monotonic()
            answer = service.choose()
            slowest = max(slowest, time.monotonic() - start)
            if answer.status != 200:
                failed.append(answer)
            if is_over.wait(0.1):
                return

    thread = threading.Thread(target=ask)
    thread.start()
    yield
    is_over.set()
    thread.join()
    assert not failed
    assert slowest < SLOWEST_S


def choice(**members: object) -> bytes:
    return json.dumps({"user": f"{CANARY}-1", "unit": "u"} | members).encode()


INVALID: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n",
    "no object": b"42",
    "an array": b"[]",
    "cut": choice()[:-1],
    "two documents": choice() + choice(),
    "UTF-8 that is broken": b'{"user": "\xff\xfe", "unit": "u"}',
    "UTF-8 that is too long": b'{"user": "\xc0\xaf", "unit": "u"}',
    "UTF-8 of a surrogate": b'{"user": "\xed\xa0\x80", "unit": "u"}',
    "UTF-16": choice().decode().encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + choice(),
    "lone surrogate": b'{"user": "\\ud800", "unit": "u"}',
    "surrogates in the wrong order": b'{"user": "\\udc00\\ud800", "unit": "u"}',
    "NUL": b'{"user": "a\\u0000b", "unit": "u"}',
    "raw NUL": b'{"user": "a\x00b", "unit": "u"}',
    "control character": b'{"user": "a\\u001b[31mb", "unit": "u"}',
    "line separator of Unicode": '{"user": "a\u0085b", "unit": "u"}'.encode(),
    "user of 129 characters": choice(user="a" * 129),
    "user of no character": choice(user=""),
    "user of a number": choice(user=10**40),
    "unit of 257 characters": choice(unit="a" * 257),
    "arrays, deep": b"[" * 30_000,
    "objects, deep": b'{"user":' * 7_000,
    "a member, deep": b'{"user": "a", "unit": "u", "pinned": ' + b'{"a":' * 6_000 + b"1" + b"}" * 6_001,
    "huge number": b'{"user": "a", "unit": "u", "explore": 1e999999}',
    "number of many digits": b'{"user": "a", "unit": "u", "explore": ' + b"9" * 50_000 + b"}",
    "NaN": b'{"user": "a", "unit": "u", "explore": NaN}',
    "Infinity": b'{"user": "a", "unit": "u", "explore": -Infinity}',
    "unknown member": choice(admin=True),
    "many members": choice(**{f"member{number}": 1 for number in range(2_500)}),
    "prototype": b'{"user": "a", "unit": "u", "__proto__": {"explore": false}}',
    "too many pins": choice(pinned={f"facet{number}": "value" for number in range(65)}),
    "pin of a path": choice(pinned={"../../etc/passwd": "concise"}),
    "comment": b'{"user": "a", "unit": "u"} // comment',
    "single quotes": b"{'user': 'a', 'unit': 'u'}",
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
}


@pytest.mark.parametrize("name", INVALID)
def test_choice_that_breaks_the_contract_is_invalid(service: Served, name: str) -> None:
    """The problem has no part of the body."""
    answer = service.raw(
        service.head("POST", "/v1/choices", JSON, f"Content-Length: {len(INVALID[name])}") + INVALID[name]
    )
    assert (answer.status, answer.problem) == (400, "invalid-request")
    assert CANARY not in answer.body.decode()
    assert b"passwd" not in answer.body


@pytest.mark.parametrize("name", INVALID)
def test_event_that_breaks_the_contract_is_rejected(service: Served, name: str) -> None:
    """The whole request is invalid, or the one event has its outcome; none is accepted, and no answer repeats it."""
    answer = service.raw(
        service.head("POST", "/v1/events", JSON, f"Content-Length: {len(INVALID[name])}") + INVALID[name]
    )
    assert answer.status in {207, 400}, answer
    if answer.status == 207:
        assert {each["outcome"] for each in answer.document["outcomes"]} == {"rejected"}
    else:
        assert answer.problem == "invalid-request"
    assert CANARY not in answer.body.decode()


def test_last_of_two_members_counts_and_the_answer_is_about_it(service: Served) -> None:
    """A proxy in front may read the first: rights are on the token, not on a member, so that it gains nothing."""
    answer = service.ask("POST", "/v1/choices", b'{"user": "a", "unit": "u", "user": "b"}')
    assert answer.status == 200
    assert answer.document["user"] == pseudonym_text(pseudonym("b", SECRET.encode()))


def test_ids_that_differ_by_unicode_form_are_two_users(service: Served) -> None:
    """As events have them: composed, decomposed, by compatibility, and with a letter of another alphabet."""
    forms = ["\u00e9", "e\u0301", "\uff45\u0301", "\u0435\u0301"]
    asked = [service.ask("POST", "/v1/choices", {"user": f"{CANARY}{form}", "unit": "u"}) for form in forms]
    assert [answer.status for answer in asked] == [200] * 4
    assert len({answer.document["user"] for answer in asked}) == 4


@pytest.mark.parametrize("length", ["-1", "+5", "0x10", "5, 6", "99999999999999999999999", "1e3", "five", "5 5"])
def test_content_length_that_is_no_number_is_refused(service: Served, length: str) -> None:
    """Before the application: by 400, or without an answer."""
    answer = service.raw(service.head("POST", "/v1/choices", JSON, f"Content-Length: {length}") + b"{}   ")
    assert answer.status in {0, 400, 413}


def test_two_lengths_are_refused(service: Served) -> None:
    """Two different lengths, and a length with chunks: the request of a smuggler."""
    for more in ("Content-Length: 60", "Transfer-Encoding: chunked", "Transfer-Encoding: identity, chunked"):
        hidden = b"0\r\n\r\nGET /v1/users/x HTTP/1.1\r\nHost: localhost\r\n\r\n"
        head = service.head("POST", "/v1/choices", JSON, f"Content-Length: {len(hidden)}", more)
        with closing(service.connect()) as connection:
            connection.sendall(head + hidden)
            first = answer_from(connection)
            assert first.status in {0, 400}, (more, first)
            with suppress(ConnectionError):
                assert connection.recv(4096) == b"", more


@pytest.mark.parametrize("size", [64 * 1024 + 1, 100_000_000, 10**18])
def test_announced_large_body_is_refused_unread(service: Served, size: int) -> None:
    """413 comes before the body."""
    answer = service.raw(service.head("POST", "/v1/choices", JSON, f"Content-Length: {size}"))
    assert (answer.status, answer.problem) == (413, "too-large")


def test_chunks_of_100_megabytes_are_refused(service: Served) -> None:
    """After the limit, not at the end; the client may still be sending."""
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    for path in ("/v1/choices", "/v1/choices:batch", "/v1/events"):
        with closing(service.connect()) as connection:
            connection.sendall(service.head("POST", path, JSON, "Transfer-Encoding: chunked"))
            sent = 0
            with suppress(ConnectionError, TimeoutError):
                for _ in range(1600):
                    connection.sendall(chunk)
                    sent += 65536
            answer = answer_from(connection)
            assert answer.status in {0, 413}, answer
            assert sent < 100_000_000 or answer.status == 413


def test_body_of_100_megabytes_is_refused_and_not_kept(service: Served) -> None:
    """With its true length, whole."""
    before = service.rss_mib
    body = service.head("POST", "/v1/events", JSON, "Content-Length: 100000000") + b" " * 100_000_000
    assert service.raw(body).status in {0, 413}
    assert service.rss_mib - before < GROWTH_MIB


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "identity, gzip", "GZIP"])
def test_encoded_body_is_not_decoded(service: Served, coding: str) -> None:
    """A bomb of 64 MiB in 64 KiB costs nothing."""
    body = gzip.compress(bytes(60 << 20))
    lines = (JSON, f"Content-Encoding: {coding}", f"Content-Length: {len(body)}")
    answer = service.raw(service.head("POST", "/v1/choices", *lines) + body)
    assert (answer.status, answer.problem) == (415, "unsupported-media-type")


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "*/*",
        "json",
        ";",
    ],
)
def test_other_media_type_is_refused(service: Served, kind: str) -> None:
    """Forms of other origins can send these without a question of the browser."""
    body = choice()
    answer = service.raw(
        service.head("POST", "/v1/choices", f"Content-Type: {kind}", f"Content-Length: {len(body)}") + body
    )
    assert (answer.status, answer.problem) == (415, "unsupported-media-type")


def test_many_headers_and_long_ones_are_refused(service: Served) -> None:
    """Before the application, and within bounds: 5,000 headers, one of 1 MiB, and a path of 1 MiB."""
    many = tuple(f"X-Header-{number}: value" for number in range(5_000))
    assert service.raw(service.head("GET", "/livez", *many)).status in {0, 400, 431}
    assert service.raw(service.head("GET", "/livez", "X-Long: " + "a" * (1 << 20))).status in {0, 400, 431}
    assert service.raw(service.head("GET", "/v1/users/" + "a" * (1 << 20))).status in {0, 400, 404, 414, 431}


def test_long_path_and_query_are_refused(service: Served) -> None:
    """Within the bounds of the server."""
    assert service.ask("GET", "/v1/users/" + "a" * 20_000).problem == "not-found"
    assert service.ask("GET", "/v1/users/a?" + "&".join(["language=en"] * 33)).problem == "invalid-request"
    assert service.ask("GET", "/v1/users/a?language=" + "a" * 20_000).problem == "invalid-request"


@pytest.mark.parametrize(
    ("path", "user"),
    [
        ("a%2Fb", "a/b"),
        ("..%2F..%2Fetc%2Fpasswd", "../../etc/passwd"),
        ("%2E%2E", ".."),
        ("a%252Fb", "a%2Fb"),
        ("a%3Fwait%3D9", "a?wait=9"),
        ("a%23b", "a#b"),
        ("a%5Cb", "a\\b"),
        ("a+b", "a+b"),
        ("a;b=c", "a;b=c"),
        ("%F0%9F%98%80", "\U0001f600"),
    ],
)
def test_encoded_characters_of_a_path_are_part_of_the_id(service: Served, path: str, user: str) -> None:
    """The user is the one that a body names."""
    found = service.ask("GET", f"/v1/users/{path}").document["user"]
    assert found == pseudonym_text(pseudonym(user, SECRET.encode()))


@pytest.mark.parametrize(
    ("path", "statuses"),
    [
        ("/v1/users/a/../b", {404}),
        ("/v1/users/..", {200}),
        ("/v1/users/./a", {404}),
        ("//v1/users/a", {404}),
        ("/v1/users/a/", {404}),
        ("/v1//users/a", {404}),
        ("/v1/users/", {404}),
        ("/V1/users/a", {404}),
        ("/v1/users/a%00", {400}),
        ("/v1/users/a%0d%0aX-Injected:%201", {400}),
        ("/v1/users/%ff", {400}),
        ("/v1/users/%C2%85", {400}),
        ("/v1/users/" + "a" * 129, {400}),
        ("/v1/users/a%2Fwhy", {200}),
        ("/v1%2Fusers/a", {404}),
        ("/%2e%2e/%2e%2e/etc/passwd", {404}),
        ("/page/static/..%2f..%2fapp.py", {404}),
        ("/docs", {404}),
        ("/redoc", {404}),
        ("/openapi.json", {404}),
        ("/.git/config", {404}),
        ("*", {0, 400, 404}),
        ("http://169.254.169.254/latest/meta-data", {0, 400, 404}),
        ("/livez\x00", {0, 400}),
    ],
)
def test_odd_path_reaches_no_other_resource(service: Served, path: str, statuses: set[int]) -> None:
    """Dot segments and doubled slashes are not resolved."""
    answer = service.ask("GET", path)
    assert answer.status in statuses, answer
    assert "x-injected" not in answer.headers


def test_headers_that_override_the_method_have_no_effect(service: Served) -> None:
    """The method, the path, the host and the scheme are those of the request."""
    headers = {
        "X-HTTP-Method-Override": "DELETE",
        "X-HTTP-Method": "DELETE",
        "X-Method-Override": "DELETE",
        "X-Original-URL": "/v1/users/a/export",
        "X-Rewrite-URL": "/v1/users/a/export",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Prefix": "/evil",
        "X-Forwarded-For": "127.0.0.1",
        "Forwarded": "for=127.0.0.1;host=evil.example",
        "Host": "evil.example",
    }
    answer = service.ask("GET", "/v1/users/a?_method=DELETE", headers=headers)
    assert answer.status == 200
    assert "facets" in answer.document
    link = service.ask("POST", "/v1/links", {"user": f"{CANARY}-1"}, headers=headers)
    assert link.document["url"].startswith(f"http://127.0.0.1:{service.port}/page?link=")


@pytest.mark.parametrize(
    "value", ["a\r\nX-Injected: 1", "a\nX-Injected: 1", "a\rX-Injected: 1", "\x00", "\x1b[31m", "é", "<b>"]
)
def test_request_id_injects_no_header_and_no_text(service: Served, value: str) -> None:
    """A request id that is no safe token is replaced; the answer has one header of it."""
    answer = service.ask("GET", "/livez", headers={"X-Request-Id": value})
    assert "x-injected" not in answer.headers
    if answer.status:
        assert answer.status in {200, 400}
        assert set(answer.headers.get("x-request-id", "")) <= set("abcdefghijklmnopqrstuvwxyz0123456789")


@pytest.mark.parametrize(
    "line",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00" * 4096,
        b"GET /livez HTTP/9.9\r\n\r\n",
        b"GET  /livez\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_bytes_that_are_no_request_end_the_connection(service: Served, line: bytes) -> None:
    """Other protocols, and broken request lines."""
    with closing(service.connect()) as connection:
        connection.sendall(line)
        connection.shutdown(1)
        assert answer_from(connection).status in {0, 400, 505}


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "PATCH", "OPTIONS", "get", "A" * 500])
def test_other_method_is_answered_by_its_problem(service: Served, method: str) -> None:
    """No request is echoed (TRACE), and no method is new."""
    answer = service.ask(method, "/v1/catalogue", headers={"X-Secret": "echo"})
    assert answer.status in {0, 400, 405}, answer
    assert b"echo" not in answer.body


def test_head_is_a_get_without_a_body(service: Served) -> None:
    """It needs the same scope."""
    assert service.ask("HEAD", "/v1/catalogue").status == 200
    assert service.ask("HEAD", "/v1/users/a", key="choose").status == 403
    assert service.ask("HEAD", "/v1/catalogue", key="").status == 401


def test_chunked_body_without_an_end_is_answered_in_time(service: Served) -> None:
    """The limit is 10 s, one second here."""
    endings: list[Callable[[], bytes]] = [
        lambda: b"",
        lambda: b"5\r\nabc",
        lambda: b"ffffffffffffffff\r\n",
        lambda: b"zz\r\n",
    ]
    for ending in endings:
        with closing(service.connect()) as connection:
            connection.sendall(service.head("POST", "/v1/choices", JSON, "Transfer-Encoding: chunked") + ending())
            assert answer_from(connection).status in {0, 400, 408}
