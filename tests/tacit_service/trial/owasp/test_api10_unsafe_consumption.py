"""API10:2023 Unsafe consumption of APIs: a key set, Redis and a source that answer as a stranger would."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from redis import Redis

from tacit_lab.embedded import EmbeddedRedis
from tests.support.conditions import eventually
from tests.tacit_service.trial.owasp.conftest import ISSUER
from tests.tacit_service.trial.service import Served, served

HOSTILE = "<script>alert(1)</script>"
ANSWERS = {
    "no HTTP": b"\x00\x01\x02 garbage\r\n\r\n",
    "no JSON": b"HTTP/1.1 200 OK\r\n\r\n<html>",
    "a list": b'HTTP/1.1 200 OK\r\n\r\n["keys"]',
    "no key": b'HTTP/1.1 200 OK\r\n\r\n{"keys": []}',
    "a secret key": b'HTTP/1.1 200 OK\r\n\r\n{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}',
    "a broken key": b'HTTP/1.1 200 OK\r\n\r\n{"keys": [{"kty": "RSA", "n": "AQ", "e": 3}]}',
    "deep": b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000,
    "large": b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (40 << 20),
    "cut": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{",
    "an error": b"HTTP/1.1 500 No\r\n\r\n",
}
RENEWED_OFTEN = {"tacit_service.access.key_set.RETRY_S": 0.05, "tacit_service.access.key_set._TIMEOUT_S": 600.0}
"""A request that waited for a silent provider would reach the limit of its client."""


@contextmanager
def provider() -> Iterator[tuple[str, list[str]]]:
    """Yield the URL of a server that gives each of `ANSWERS` in turn, then none; and the names of those it gave."""
    listener = socket.create_server(("127.0.0.1", 0))
    given: list[str] = []
    left = iter(ANSWERS.items())
    silent: list[socket.socket] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                name, answer = next(left, ("silence", b""))
                if not answer:
                    silent.append(connection)
                with suppress(OSError):
                    connection.recv(65536)
                    connection.sendall(answer)
                if answer:
                    connection.close()
                given.append(name)

    threading.Thread(target=serve, daemon=True).start()
    with closing(listener):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/jwks", given
        listener.shutdown(socket.SHUT_RDWR)
    for connection in silent:
        connection.close()


def test_key_set_of_a_broken_provider(redis: EmbeddedRedis, tmp_path: Path) -> None:
    """Garbage, a huge answer and silence: keys of the file are valid meanwhile, and no request waits."""
    with provider() as (url, given):
        words = ("--jwks", url, "--jwt-issuer", ISSUER, "--rate-token", "100000", "--rate-user", "100000")
        with served(tmp_path, redis.url, *words, limits=RENEWED_OFTEN) as service:
            memory = service.rss_mib

            def is_done() -> bool:
                is_silent = "silence" in given
                assert service.ask("GET", "/v1/catalogue", key="a.b.c").status == 401
                assert service.choose().status == 200
                return is_silent

            eventually(is_done, within_s=60, what="all answers of the provider")
            assert service.rss_mib - memory < 32
            assert "jwks.unavailable" in service.run.output
    assert given[: len(ANSWERS)] == [*ANSWERS]


@pytest.mark.parametrize("known", ["user-000001"])
def test_keys_of_a_stranger_in_redis_reach_no_answer_as_text(service: Served, redis: EmbeddedRedis, known: str) -> None:
    """Other types, other bytes, and values beyond the catalogue in a form that is right."""
    paths = [f"/v1/users/{known}", f"/v1/context/{known}"]
    before = [service.ask("GET", path).status for path in paths]
    assert before == [200, 200]
    pseudonym = service.ask("GET", paths[0]).document["user"]
    with closing(Redis.from_url(redis.url, protocol=2)) as client:
        keys = [*client.scan_iter(f"*{pseudonym}*", count=1000)]
        assert keys
        kept = {key: client.dump(key) or b"" for key in keys}
        try:
            for change in (_other_bytes, _other_values, _other_type):
                for key in keys:
                    client.restore(key, 0, kept[key], replace=True)
                    change(client, key)
                answers = [service.ask("GET", path) for path in paths]
                answers.append(service.ask("POST", "/v1/choices", {"user": known, "unit": "u"}))
                assert {answer.status for answer in answers} <= {200, 503}
                assert not [answer for answer in answers if b"script" in answer.body]
        finally:
            for key in keys:
                client.restore(key, 0, kept[key], replace=True)
    assert [service.ask("GET", path).status for path in paths] == before


def _other_bytes(client: Redis, key: bytes) -> None:
    if client.type(key) == b"hash":
        client.hset(key, mapping=dict.fromkeys([*client.hkeys(key), HOSTILE], HOSTILE))
    else:
        client.set(key, HOSTILE)


_VALUE = re.compile('"(concise|balanced|detailed|prose|bullets|table|neutral|formal|warm)"')


def _other_values(client: Redis, key: bytes) -> None:
    if client.type(key) == b"hash":
        for name, data in client.hgetall(key).items():
            text = data.decode() if isinstance(data, bytes) else data
            client.hset(key, name, _VALUE.sub(f'"{HOSTILE}"', text))


def _other_type(client: Redis, key: bytes) -> None:
    client.delete(key)
    client.rpush(key, HOSTILE)
