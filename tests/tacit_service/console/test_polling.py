"""Workers with broken answers: each look counts them as processes that do not answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

import pytest

from dataflows.settings import Settings
from tacit_service.console.charts import MEASURES
from tacit_service.console.history import History
from tacit_service.console.polling import Poller
from tacit_service.service import Service
from tests.support.ports import free_port
from tests.support.threads import served_in_thread


@contextmanager
def answering(head: bytes, body: bytes) -> Iterator[str]:
    """Answer each connection with the same bytes, and yield the URL."""

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            self.request.sendall(head + body)

    with served_in_thread(ThreadingTCPServer(("127.0.0.1", free_port()), Handler)) as server:
        yield f"http://127.0.0.1:{server.server_address[1]}"


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"", b""),
        (b"no HTTP\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b"short"),
        (b"HTTP/1.1 500 Error\r\n\r\n", b"tacit_records_total 1\n"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"tacit_records_total{\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b'tacit_rejects_total{reason="\n'),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"tacit_records_total x\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"tacit_records_total\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"tacit_records_total \xff\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 5_000_000),
    ],
)
def test_broken_worker_does_not_answer(tmp_path: Path, head: bytes, body: bytes) -> None:
    with answering(head, body) as url:
        settings = Settings(secret="0" * 32, worker_metrics=(url,), audit=None, state=tmp_path)
        history = History(MEASURES)
        poller = Poller(Service(settings), history)
        poller.look()
        assert [worker.answers for worker in poller.workers] == [False]
        assert len(history) == 1
