"""Settings of the HTTP service: address, tokens, user links, and rates."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from dataflows.setting import Setting
from dataflows.setting_checks import pattern_problem

SERVICE = "Service"

_LISTEN = re.compile(r"(?:[^:\s]+|\[[0-9a-fA-F:]+\]):(\d{1,5})")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-fA-F:]+\](:\d{1,5})?")
_LEAST_LINK_SECRET = 16


def _listen_problem(text: str) -> str | None:
    parts = _LISTEN.fullmatch(text)
    return None if parts and int(parts[1]) < 65_536 else "must be HOST:PORT with a port up to 65535; 0 takes a free one"


def _key_set_problem(text: str) -> str | None:
    return _url_problem(text) if "://" in text else None


def _url_problem(text: str) -> str | None:
    try:
        parts = urlsplit(text)
        is_valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid or not text.isprintable() or " " in text or "@" in parts.netloc:
        return "must be http://HOST:PORT or https://HOST:PORT, without a user"
    return None


def _urls_problem(texts: tuple[str, ...]) -> str | None:
    return next(filter(None, map(_url_problem, texts)), None)


def _origins_problem(texts: tuple[str, ...]) -> str | None:
    return None if all(map(_ORIGIN.fullmatch, texts)) else "must be https://HOST:PORT, without a path"


def _link_secret_problem(text: str) -> str | None:
    if len(text.encode()) >= _LEAST_LINK_SECRET:
        return None
    return f"must have {_LEAST_LINK_SECRET} bytes or more (openssl rand -hex 32)"


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """Settings of `tacit serve`."""

    listen: Annotated[str, Setting(SERVICE, "HOST:PORT", "Address of the service.", check=_listen_problem)] = (
        "127.0.0.1:8080"
    )
    public_url: Annotated[
        str | None,
        Setting(SERVICE, "URL", "Address of the service as users see it.", "http://HOST:PORT", check=_url_problem),
    ] = None
    keys: Annotated[
        Path | None, Setting(SERVICE, "FILE", "Hashed keys of assistants, made by `tacit token`.", "none")
    ] = None
    jwks: Annotated[
        str | None,
        Setting(SERVICE, "FILE|URL", "JWKS with the public keys of signed tokens.", "none", check=_key_set_problem),
    ] = None
    jwt_issuer: Annotated[str | None, Setting(SERVICE, "TEXT", "Issuer (iss) of signed tokens.", "required")] = None
    jwt_audience: Annotated[
        str,
        Setting(SERVICE, "TEXT", "Audience (aud) of signed tokens.", check=lambda text: pattern_problem(".+", text)),
    ] = "tacit"
    link_secret: Annotated[
        str | None,
        Setting(
            SERVICE,
            "TEXT",
            "Key of user links and page sessions, the same in all processes of the service.",
            "no user links",
            check=_link_secret_problem,
            is_flag=False,
            is_secret=True,
        ),
    ] = field(default=None, repr=False)
    cors_origin: Annotated[
        tuple[str, ...],
        Setting(
            SERVICE,
            "ORIGIN",
            "Origin of a web page that may call the API; may be repeated.",
            "none",
            check=_origins_problem,
            is_list=True,
        ),
    ] = ()
    rate_token: Annotated[float, Setting(SERVICE, "N", "Requests per second of a token.", above=0, most=1e6)] = 2000
    rate_user: Annotated[float, Setting(SERVICE, "N", "Requests per second about a user.", above=0, most=1e6)] = 20
    service_url: Annotated[
        str, Setting(SERVICE, "URL", "Address of a running service, for `tacit mcp`.", check=_url_problem)
    ] = "http://127.0.0.1:8080"
    service_key: Annotated[
        str | None,
        Setting(
            SERVICE, "TEXT", "Key or JWT for a running service, for `tacit mcp`.", "none", is_flag=False, is_secret=True
        ),
    ] = field(default=None, repr=False)
    prometheus: Annotated[
        str | None,
        Setting(SERVICE, "URL", "Prometheus with the history of metrics.", "none", check=_url_problem),
    ] = None
    worker_metrics: Annotated[
        tuple[str, ...],
        Setting(
            SERVICE,
            "URL",
            "Metrics of a process of a worker, such as http://127.0.0.1:9464; may be repeated.",
            "none",
            check=_urls_problem,
            is_list=True,
        ),
    ] = ()


def service_problems(settings: ServiceSettings) -> list[str]:
    """Return a problem per setting that is missing."""
    if settings.jwks is not None and settings.jwt_issuer is None:
        return ["jwt_issuer: is required with --jwks; name the issuer of the tokens"]
    return []
