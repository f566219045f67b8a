"""Redis by `rediss://`: certificates are verified, authority and host name; what is not trusted gets nothing.

The servers in wheels have no TLS: a proxy of the test speaks it for them.
"""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import pytest
import trustme

from connectors.redis.health import redis_problems
from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Target
from state.counters import SinkCounters
from state.errors import SinkError
from tacit import AsyncSignalReader, SignalReader
from tacit.contract.pseudonyms import pseudonym
from tests.support.conditions import eventually
from tests.support.sample_signals import NOW_MS, signal, write

SECRET = "a secret of tests"
ADA = write(("length", signal("concise", NOW_MS)), user=pseudonym("ada", SECRET.encode()))


class Proxy:
    """TLS proxy: decrypts connections, and forwards their bytes to a server on a Unix socket."""

    def __init__(self, server: str, certificate: trustme.LeafCert) -> None:
        self._server = server
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(self._context)
        self._ready = Event()
        self.port = 0

    @contextmanager
    def running(self) -> Iterator[int]:
        """Yield the port while the proxy listens."""
        thread = Thread(target=asyncio.run, args=(self._serve(),), daemon=True)
        thread.start()
        assert self._ready.wait(10)
        try:
            yield self.port
        finally:
            self._loop.call_soon_threadsafe(self._end.set)
            thread.join(10)

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._forward, "127.0.0.1", 0, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        server.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(self._server.removeprefix("unix://"))
        with suppress(OSError):
            await asyncio.wait(
                [asyncio.ensure_future(_pump(reader, back)), asyncio.ensure_future(_pump(there, writer))],
                return_when=asyncio.FIRST_COMPLETED,
            )
        back.close()
        writer.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def authority_file(authority: trustme.CA, tmp_path: Path) -> Path:
    """Return the file of the authority's certificate."""
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return path


@contextmanager
def served(redis_url: str, authority: trustme.CA, name: str = "localhost") -> Iterator[str]:
    """Yield the URL of a Redis behind TLS with a certificate for this name."""
    with Proxy(redis_url, authority.issue_cert(name)).running() as port:
        yield f"rediss://localhost:{port}"


def store_signal(url: str) -> None:
    with closing(SignalWriter(Target(url, "eu", retry_for_s=0.5), SinkCounters())) as writer:
        writer.write([ADA])


def read(url: str) -> str:
    with SignalReader(url, region="eu", secret=SECRET) as reader:
        return reader.get("ada").status


def read_async(url: str) -> str:
    async def get() -> str:
        async with AsyncSignalReader(url, region="eu", secret=SECRET) as reader:
            return (await reader.get("ada")).status

    return asyncio.run(get())


def test_workers_and_readers_speak_tls(redis_url: str, authority: trustme.CA, authority_file: Path) -> None:
    """The URL names the authority of the server."""
    with served(redis_url, authority) as url:
        trusting_url = f"{url}?ssl_ca_certs={authority_file}"
        assert redis_problems(trusting_url, "eu") == []
        store_signal(trusting_url)
        eventually(lambda: read(trusting_url) == "fresh", within_s=10, what="a read before its time limit")
        eventually(lambda: read_async(trusting_url) == "fresh", within_s=10, what="an async read before its time limit")


def test_unknown_authority_is_not_trusted(redis_url: str, authority: trustme.CA) -> None:
    """Workers stop with a reason, readers give defaults, and no command was sent."""
    store_signal(redis_url)
    with served(redis_url, authority) as url:
        with pytest.raises(SinkError, match="CONNECTION"):
            store_signal(url)
        assert (read(url), read_async(url)) == ("unavailable", "unavailable")


def test_certificate_for_another_host_is_not_trusted(
    redis_url: str, authority: trustme.CA, authority_file: Path
) -> None:
    """Not even by a trusted authority."""
    with served(redis_url, authority, "other.example") as url:
        trusting_url = f"{url}?ssl_ca_certs={authority_file}"
        with pytest.raises(SinkError, match="CONNECTION"):
            store_signal(trusting_url)
        assert (read(trusting_url), read_async(trusting_url)) == ("unavailable", "unavailable")
