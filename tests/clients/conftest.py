"""A running service with embedded parts, and keys for clients in other languages."""

from collections.abc import Iterator, Mapping
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.support.commands import running
from tests.support.ports import free_port
from tests.support.service import KEYS, made_key

NO_LIMITS = ("--rate-user", "100000", "--rate-token", "100000")
"""Tests ask again and again until an effect shows."""


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Yield the environment of clients: address, a key with all scopes, and a key that only reads."""
    folder = tmp_path_factory.mktemp("service")
    url = f"http://127.0.0.1:{free_port()}"
    words = ["serve", "--embedded", "--state", "state", "--keys", KEYS, *NO_LIMITS]
    environment = {
        "TACIT_URL": url,
        "TACIT_KEY": made_key(folder),
        "TACIT_READING_KEY": made_key(folder, "reader", "choose"),
    }
    with running([*words, "--listen", url.removeprefix("http://")], folder / "service.log") as run:
        run.wait_for(lambda: _is_ready(url), "the service is ready")
        yield environment


def _is_ready(url: str) -> bool:
    try:
        with urlopen(f"{url}/readyz", timeout=5) as answer:  # noqa: S310  # the address is ours
            return bool(answer.status == 200)
    except (URLError, ConnectionError):
        return False
