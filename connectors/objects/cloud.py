"""Connections to the stores of clouds, with the usual variables of each cloud as obstore reads them."""

import os
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, S3Store

from connectors.objects.address import ObjectAddress
from connectors.objects.failures import ALLOW_HTTP, cause_of_settings
from connectors.objects.store import Limits
from connectors.secret_files import secret_variable
from tacit.errors import ConfigurationError

if TYPE_CHECKING:
    from obstore.store import AzureConfig, ClientConfig, RetryConfig, S3Config

Cloud = S3Store | AzureStore | GCSStore

_ENDPOINTS = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
    "gs": ("GOOGLE_BASE_URL",),
}
_MAX_PAUSE_S = 2.0
_UNBOUNDED = 1000


def connected(address: ObjectAddress, limits: Limits, *, retries: bool) -> Cloud:
    """Return a connection; no request is sent yet.

    Args:
        address: URL of the store.
        limits: time limits.
        retries: obstore repeats requests, part by part; else the caller repeats them.

    Raises:
        ConfigurationError: the environment is incomplete or wrong.
    """
    client, retry = _client(address, limits), _retry(limits, retries=retries)
    _check_endpoint(address)
    try:
        if address.scheme == "s3":
            return S3Store(address.bucket, config=_s3(), client_options=client, retry_config=retry)
        if address.scheme == "az":
            return AzureStore(address.bucket, config=_azure(), client_options=client, retry_config=retry)
        return GCSStore(address.bucket, client_options=client, retry_config=retry)
    except (BaseError, ValueError) as error:
        raise ConfigurationError(
            [f"{address}: the variables of the environment cannot be used: {cause_of_settings(error)}; correct them"]
        ) from None


def _s3() -> "S3Config":
    # A variable must not turn off conditional writes, on which the fencing of clusters rests.
    config: S3Config = {"conditional_put": "etag"}
    if value := secret_variable("AWS_ACCESS_KEY_ID"):
        config["access_key_id"] = value
    if value := secret_variable("AWS_SECRET_ACCESS_KEY"):
        config["secret_access_key"] = value
    if value := secret_variable("AWS_SESSION_TOKEN"):
        config["session_token"] = value
    return config


def _azure() -> "AzureConfig":
    config: AzureConfig = {}
    if value := secret_variable("AZURE_STORAGE_ACCOUNT_KEY"):
        config["account_key"] = value
    if value := secret_variable("AZURE_STORAGE_SAS_TOKEN"):
        config["sas_key"] = value
    if value := secret_variable("AZURE_STORAGE_CLIENT_SECRET"):
        config["client_secret"] = value
    return config


def _client(address: ObjectAddress, limits: Limits) -> "ClientConfig":
    """Return options of the HTTP client; they replace those of variables, so the one on plain HTTP is read here."""
    return {
        "allow_http": _allows_http(address),
        "connect_timeout": timedelta(seconds=min(limits.connect_s, limits.request_s)),
        "timeout": timedelta(seconds=limits.request_s),
    }


def _retry(limits: Limits, *, retries: bool) -> "RetryConfig":
    return {
        "max_retries": _UNBOUNDED if retries and limits.retry_for_s else 0,
        "retry_timeout": timedelta(seconds=limits.retry_for_s),
        "backoff": {"max_backoff": timedelta(seconds=_MAX_PAUSE_S)},
    }


def _allows_http(address: ObjectAddress) -> bool:
    return os.environ.get(ALLOW_HTTP[address.scheme], "").lower() in ("true", "1", "yes", "on")


def _check_endpoint(address: ObjectAddress) -> None:
    for variable in _ENDPOINTS[address.scheme]:
        if url := os.environ.get(variable, ""):
            _check_url(variable, url, ALLOW_HTTP[address.scheme], allows_http=_allows_http(address))


def _check_url(variable: str, url: str, allow: str, *, allows_http: bool) -> None:
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid or not url.isprintable() or " " in url:
        raise ConfigurationError([f"{variable}: must be https://HOST:PORT"])
    if "@" in parts.netloc:
        raise ConfigurationError([f"{variable}: must have no user or password; use the variables of the credentials"])
    if parts.scheme == "http" and not allows_http:
        raise ConfigurationError(
            [f"{variable}: plain http:// is off; use https://, or set {allow}=true for a network that you trust"]
        )
