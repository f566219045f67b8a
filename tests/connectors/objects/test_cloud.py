"""Connections with the variables of each cloud; no request is sent."""

import json
from pathlib import Path

import pytest

from connectors.objects.address import ObjectAddress
from connectors.objects.bucket import Bucket
from connectors.objects.opening import open_objects
from state.errors import ObjectRefusedError, ObjectStoreError
from tacit.errors import ConfigurationError
from tests.support.object_server import opened
from tests.support.ports import free_port

SECRET = "c2VjcmV0LXBhc3M="


def _open(url: str) -> Bucket:
    objects = open_objects(ObjectAddress.parse(url))
    assert isinstance(objects, Bucket)
    return objects


@pytest.mark.parametrize(
    ("url", "variable"),
    [
        ("s3://bucket", "AWS_ENDPOINT_URL"),
        ("az://container", "AZURE_STORAGE_ENDPOINT"),
        ("gs://bucket", "GOOGLE_BASE_URL"),
    ],
)
@pytest.mark.parametrize(
    ("endpoint", "problem"),
    [
        ("garbage", "must be https://HOST:PORT"),
        ("ftp://host", "must be https://HOST:PORT"),
        ("https://host:port", "must be https://HOST:PORT"),
        (f"https://user:{SECRET}@host", "must have no user or password"),
        ("http://host:9000", "plain http:// is off; use https://, or set A"),
    ],
)
def test_unusable_endpoint_is_refused(
    monkeypatch: pytest.MonkeyPatch, url: str, variable: str, endpoint: str, problem: str
) -> None:
    monkeypatch.setenv(variable, endpoint)
    with pytest.raises(ConfigurationError) as error:
        _open(url)
    assert str(error.value).startswith(f"{variable}: {problem}".removesuffix("A"))
    assert SECRET not in str(error.value)


def test_azure_needs_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(ConfigurationError, match=r"az://container: the variables .* cannot be used: MissingAccount"):
        _open("az://container")


def test_unusable_key_of_azure_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", f"!{SECRET}")
    with pytest.raises(ConfigurationError, match="InvalidAccessKey; correct them") as error:
        _open("az://container")
    assert SECRET not in str(error.value)


def test_key_of_azure_comes_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(SECRET)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AZURE_ALLOW_HTTP", "true")
    with pytest.raises(ObjectStoreError) as error:
        opened("az://container/p").get("key")
    assert not isinstance(error.value, ObjectRefusedError)
    assert str(error.value) == (
        "az://container/p/key cannot be read: the connection is refused; check AZURE_STORAGE_ENDPOINT and the store"
    )


def test_google_needs_readable_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(tmp_path / "missing"))
    with pytest.raises(
        ConfigurationError, match=r"gs://bucket: the variables .* cannot be used: OpenCredentials; correct them"
    ):
        _open("gs://bucket")


def test_google_is_reached_with_a_key_of_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text(
        json.dumps(
            {
                "gcs_base_url": f"http://127.0.0.1:{free_port()}",
                "disable_oauth": True,
                "client_email": "",
                "private_key": "",
                "private_key_id": "",
            }
        )
    )
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(tmp_path / "key.json"))
    monkeypatch.setenv("GOOGLE_ALLOW_HTTP", "true")
    with pytest.raises(ObjectStoreError, match="gs://bucket/p/key cannot be written: the connection is refused"):
        opened("gs://bucket/p").put_instead("key", b"x", "7")


def test_two_sources_of_a_secret_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY_FILE", "/file")
    with pytest.raises(ConfigurationError, match="AWS_SECRET_ACCESS_KEY: and AWS_SECRET_ACCESS_KEY_FILE are both set"):
        _open("s3://bucket")
