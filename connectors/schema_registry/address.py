"""Address of a schema registry."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from tacit.errors import ConfigurationError

_FORM = "must be http://HOST:PORT or https://HOST:PORT, with a path if the registry has one"
_NO_USER = "must not have a user or a password; set schema_registry_user and TACIT_SCHEMA_REGISTRY_PASSWORD"


@dataclass(frozen=True, slots=True)
class RegistryAddress:
    """URL of a registry, and its access."""

    host: str
    port: int
    path: str
    is_tls: bool
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    ca_file: Path | None = None

    @classmethod
    def parse(cls, url: str, user: str = "", password: str = "", ca_file: Path | None = None) -> Self:
        """Parse `http[s]://HOST[:PORT][/PATH]`.

        >>> str(RegistryAddress.parse("https://registry:8081/apis/ccompat/v7/"))
        'https://registry:8081/apis/ccompat/v7'

        Raises:
            ConfigurationError: the text has another form; the message never shows a password.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ConfigurationError([_FORM]) from None
        if parts.username is not None or parts.password is not None:
            raise ConfigurationError([_NO_USER])
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ConfigurationError([_FORM])
        is_tls = parts.scheme == "https"
        return cls(
            parts.hostname, port or (443 if is_tls else 80), parts.path.rstrip("/"), is_tls, user, password, ca_file
        )

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.is_tls else 'http'}://{host}:{self.port}{self.path}"
