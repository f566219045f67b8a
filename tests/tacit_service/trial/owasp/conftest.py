"""One service for all points: keys and signed tokens, a source, a state folder, links, receipts and an audit."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from joserfc.jwk import RSAKey

from tacit_lab.embedded import EmbeddedRedis
from tests.support.redis_server import BINARIES
from tests.tacit_service.trial.service import UNLIMITED, Served, learned, served

ISSUER = "https://login.example"


SHORT = {"tacit_service.actions._RECEIPT_WAIT_S": 1.0}
"""No worker follows, so that a forget waits the whole time for its effect."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Key pair whose public key the service has in a file."""

    private: RSAKey
    jwks: Path


@pytest.fixture(scope="session")
def redis() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(BINARIES["redis-6.2"]) as found:
        yield found


@pytest.fixture(scope="session")
def key_pair(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    private = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})
    path = tmp_path_factory.mktemp("jwks") / "jwks.json"
    path.write_text(json.dumps({"keys": [private.as_dict(private=False)]}), encoding="utf-8")
    return KeyPair(private, path)


@pytest.fixture(scope="session")
def service(redis: EmbeddedRedis, key_pair: KeyPair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("owasp")
    (folder / "events.jsonl").touch()
    (folder / "receipts").mkdir()
    state = learned(folder, redis.url)
    parts = ("--source", str(folder / "events.jsonl"), "--state", str(state), "--receipts", str(folder / "receipts"))
    tokens = ("--jwks", str(key_pair.jwks), "--jwt-issuer", ISSUER)
    audit = ("--audit", str(folder / "audit.jsonl"))
    with served(folder, redis.url, *parts, *tokens, *UNLIMITED, *audit, limits=SHORT) as found:
        yield found
