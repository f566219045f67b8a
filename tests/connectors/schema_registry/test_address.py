"""connectors/schema_registry/address: URLs of registries; no text shows a secret."""

import pytest

from connectors.schema_registry.address import RegistryAddress
from tacit.errors import ConfigurationError


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://registry:8081", "http://registry:8081"),
        ("http://registry", "http://registry:80"),
        ("https://registry/apis/ccompat/v7/", "https://registry:443/apis/ccompat/v7"),
        ("http://[::1]:8081", "http://[::1]:8081"),
    ],
)
def test_url_is_parsed(url: str, text: str) -> None:
    """The port is that of the protocol if there is none."""
    assert str(RegistryAddress.parse(url)) == text


@pytest.mark.parametrize(
    "url",
    ["", "registry:8081", "ftp://registry", "http://", "http://a:port", "http://a?b", "http://a#b", "http://a:99999"],
)
def test_other_text_is_refused(url: str) -> None:
    """The message has the form."""
    with pytest.raises(ConfigurationError, match="must be http://HOST:PORT or https://HOST:PORT"):
        RegistryAddress.parse(url)


def test_secret_is_shown_nowhere() -> None:
    """A URL with a password is refused, and its text is not repeated."""
    with pytest.raises(ConfigurationError) as error:
        RegistryAddress.parse("http://key:hunter2@registry")
    address = RegistryAddress.parse("http://registry", "key", "hunter2")
    assert "TACIT_SCHEMA_REGISTRY_PASSWORD" in str(error.value)
    assert "hunter2" not in f"{error.value} {address} {address!r}"
