"""Failures of a bucket, on a real S3 server and on servers that break."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from zlib import crc32

import pytest
import trustme

from connectors.objects.store import CHUNK_BYTES, ObjectStore
from state.errors import ObjectRefusedError, ObjectStoppedError, ObjectStoreError
from tests.support.conditions import once
from tests.support.http_answers import answer, answering, error_answer
from tests.support.object_server import BUCKET, READER_KEY, READER_SECRET, SECRET, ObjectServer, opened
from tests.support.ports import free_port

URL = f"s3://{BUCKET}/failures"
RIGHTS = (
    "no rights (403 AccessDenied); correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or grant s3:GetObject, "
    "s3:PutObject, s3:DeleteObject, s3:ListBucket and s3:AbortMultipartUpload"
)

Call = Callable[[ObjectStore], object]

WRITES: list[Call] = [
    lambda objects: objects.put("key", b"x"),
    lambda objects: objects.put_new("key", b"x"),
    lambda objects: objects.put_instead("key", b"x", "y"),
]
CALLS: list[Call] = [
    *WRITES,
    lambda objects: objects.get("key"),
    lambda objects: list(objects.list()),
    lambda objects: objects.delete(["key"]),
]


def _error(call: Call, objects: ObjectStore) -> ObjectStoreError:
    with pytest.raises(ObjectStoreError) as error:
        call(objects)
    return error.value


@pytest.mark.parametrize("call", CALLS)
def test_missing_bucket_is_named(s3: ObjectServer, call: Call) -> None:
    error = _error(call, opened("s3://no-such-bucket/p"))
    assert isinstance(error, ObjectRefusedError)
    assert str(error).startswith("s3://no-such-bucket/p")
    assert str(error).endswith("no such bucket (404 NoSuchBucket); create the bucket or correct the URL")


def test_file_for_missing_bucket_is_refused(s3: ObjectServer, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(CHUNK_BYTES + 1))
    error = _error(lambda objects: objects.put("key", source), opened("s3://no-such-bucket/p"))
    assert isinstance(error, ObjectRefusedError)


@pytest.mark.parametrize("call", CALLS)
def test_wrong_secret_is_refused(s3: ObjectServer, monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    error = _error(call, opened(URL))
    assert isinstance(error, ObjectRefusedError)
    assert "the secret is wrong (403 SignatureDoesNotMatch); correct AWS_ACCESS_KEY_ID and AWS_SEC" in str(error)
    assert "wrong-secret" not in str(error)


def test_unknown_key_is_refused(s3: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "unknown")
    error = _error(lambda objects: objects.get("key"), opened(URL))
    assert isinstance(error, ObjectRefusedError)
    assert "the access key is unknown (403 InvalidAccessKeyId)" in str(error)


@pytest.mark.parametrize("call", WRITES)
def test_reader_may_not_write(s3: ObjectServer, monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    for name, value in s3.environment(READER_KEY, READER_SECRET).items():
        monkeypatch.setenv(name, value)
    error = _error(call, opened(URL))
    assert isinstance(error, ObjectRefusedError)
    assert str(error) == f"{URL}/key cannot be written: {RIGHTS}"


def test_secret_comes_from_a_file(s3: ObjectServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY_FILE", str(tmp_path / "secret"))
    objects = opened(URL)
    objects.put("from-file", b"x")
    objects.delete(["from-file"])


def test_variable_does_not_turn_off_conditions(s3: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONDITIONAL_PUT", "disabled")
    objects = opened(URL)
    assert objects.put_new("condition", b"1")
    assert objects.put_new("condition", b"2") is None
    objects.delete(["condition"])


@pytest.mark.parametrize("call", CALLS)
def test_dead_server_is_temporary(s3: ObjectServer, monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    error = _error(call, opened(URL))
    assert not isinstance(error, ObjectRefusedError)
    assert str(error).endswith("the connection is refused; check AWS_ENDPOINT_URL and the store")


def test_unknown_host_is_temporary(s3: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://tacit.invalid:9000")
    error = _error(lambda objects: objects.get("key"), opened(URL))
    assert not isinstance(error, ObjectRefusedError)
    assert str(error).endswith("the host is not found; check AWS_ENDPOINT_URL and the network")


def test_tls_to_plain_server_is_refused(s3: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint.replace("http:", "https:"))
    error = _error(lambda objects: objects.get("key"), opened(URL))
    assert isinstance(error, ObjectRefusedError)
    assert "the store does not speak TLS" in str(error)


@pytest.mark.parametrize("call", CALLS)
def test_stop_ends_a_call_to_a_frozen_server(s3: ObjectServer, call: Call) -> None:
    stop = threading.Event()
    objects = opened(URL, stop, retry_for_s=60)
    s3.pause()
    started = time.monotonic()
    with once(lambda: time.monotonic() - started > 0.2, stop.set), pytest.raises(ObjectStoppedError):
        call(objects)
    assert time.monotonic() - started < 1


def test_private_authority_is_named_in_a_variable(
    s3: ObjectServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority = trustme.CA()
    with _tls_server(authority) as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://127.0.0.1:{port}")
        error = _error(lambda objects: objects.get("key"), opened(URL))
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert opened(URL).get("key") is None
    assert isinstance(error, ObjectRefusedError)
    assert str(error).endswith(
        "the certificate of the store is not accepted; name the file of its authorities in SSL_CERT_FILE"
    )


@contextmanager
def _tls_server(authority: trustme.CA) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError), context.wrap_socket(connection, server_side=True) as encrypted:
                    encrypted.recv(1 << 16)
                    encrypted.sendall(answer("404 Not Found"))

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def test_objects_survive_a_kill_of_the_server(s3: ObjectServer) -> None:
    objects = opened(URL, retry_for_s=30)
    objects.put("survivor", b"x")
    s3.kill()
    with ThreadPoolExecutor(1) as thread:
        reading = thread.submit(objects.get, "survivor")
        s3.serve()
        found = reading.result()
    assert found is not None
    assert found.data == b"x"


def test_read_is_repeated_after_a_cut_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cut = answer("206 Partial", "12", length=4, headers='Content-Range: bytes 0-3/4\r\nETag: "e"\r\n')
    rest = answer("206 Partial", "34", headers='Content-Range: bytes 2-3/4\r\nETag: "e"\r\n')
    with answering(monkeypatch, [answer("503 Slow Down"), cut, rest]):
        opened(URL, retry_for_s=5).fetch("key", tmp_path / "target", 4, crc32(b"1234"))
    assert (tmp_path / "target").read_bytes() == b"1234"


@pytest.mark.parametrize(("held", "etag"), [("mine", '"e"'), ("theirs", None)])
def test_own_write_of_unknown_outcome_counts(monkeypatch: pytest.MonkeyPatch, held: str, etag: str | None) -> None:
    """The answer to the first attempt is lost, and the second finds an object."""
    found = answer("200 OK", held, headers='ETag: "e"\r\n')
    with answering(monkeypatch, [b"", error_answer("412 Precondition Failed", "PreconditionFailed"), found]):
        assert opened(URL, retry_for_s=5).put_new("key", b"mine") == etag
