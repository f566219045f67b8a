"""Addresses of object storage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.objects.address import ObjectAddress
from tacit.errors import ConfigurationError

SECRET = "s3cr3t-p4ss"


@pytest.mark.parametrize(
    ("url", "scheme", "bucket", "prefix"),
    [
        ("s3://backups", "s3", "backups", ""),
        ("s3://backups/", "s3", "backups", ""),
        ("s3://my.backups-1/tacit/eu/", "s3", "my.backups-1", "tacit/eu"),
        ("az://container/p", "az", "container", "p"),
        ("gs://a_bucket/p", "gs", "a_bucket", "p"),
        ("file:///var/backups/tacit/", "file", "/var/backups/tacit", ""),
        ("file:///with%20space", "file", "/with space", ""),
    ],
)
def test_parts_of_urls(url: str, scheme: str, bucket: str, prefix: str) -> None:
    address = ObjectAddress.parse(url)
    assert (address.scheme, address.bucket, address.prefix) == (scheme, bucket, prefix)
    assert str(address) == url.rstrip("/")
    assert ObjectAddress.parse(str(address)) == address


@pytest.mark.parametrize(
    "url",
    [
        f"s3://key:{SECRET}@backups/tacit",
        f"s3://{SECRET}@backups",
        f"az://account:{SECRET}@container/p",
        f"gs://:{SECRET}@bucket",
        f"file://user:{SECRET}@/var",
        f"memory://user:{SECRET}@x",
    ],
)
def test_url_with_password_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError, match="must have no user or password; set ") as error:
        ObjectAddress.parse(url)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "backups",
        "/var/backups",
        "s3:backups",
        "s3://",
        "s3:///prefix",
        "s3://ab",
        "s3://Backups",
        "s3://backups:9000/p",
        "s3://backups/a//b",
        "s3://backups/../b",
        "s3://backups/ü",
        f"s3://backups/p?secret={SECRET}",
        f"s3://backups/p#{SECRET}",
        "s3://backups/p\n",
        "s3://[",
        "az://con--tainer",
        "file://host/path",
        "file:///",
        "file://relative",
        "file:///var/../etc",
        "file:///a%00b",
        "memory:///",
        f"https://backups.s3.amazonaws.com/{SECRET}",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^must ") as error:
        ObjectAddress.parse(url)
    assert SECRET not in str(error.value)


@given(st.text())
def test_every_text_is_an_address_or_a_configuration_error(text: str) -> None:
    for url in (text, f"s3://{text}", f"s3://backups/{text}", f"file:///{text}"):
        try:
            address = ObjectAddress.parse(url)
        except ConfigurationError:
            continue
        assert ObjectAddress.parse(str(address)) == address


def test_urls_and_whole_keys_of_objects() -> None:
    address = ObjectAddress.parse("s3://backups/tacit")
    assert address.at("cuts/1") == "tacit/cuts/1"
    assert address.at("") == "tacit"
    assert address.url("cuts/1") == "s3://backups/tacit/cuts/1"
    assert ObjectAddress.parse("s3://backups").at("cuts/1") == "cuts/1"
