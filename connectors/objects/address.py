"""Address of object storage: scheme, bucket and prefix."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, cast
from urllib.parse import quote, unquote, urlsplit

from connectors.objects.keys import is_key
from tacit.errors import ConfigurationError

Scheme = Literal["s3", "az", "gs", "file"]

FORM = "must be s3://BUCKET/PREFIX, az://CONTAINER/PREFIX, gs://BUCKET/PREFIX or file:///PATH"
_NO_LOGIN = "must have no user or password; set {} in the environment"
_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
}
_BUCKET = {
    "s3": re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"),
    "az": re.compile(r"[a-z0-9](?:-?[a-z0-9]){2,62}"),
    "gs": re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]"),
}


@dataclass(frozen=True, slots=True)
class ObjectAddress:
    """URL of a store; credentials are no part of it.

    Args:
        scheme: kind of the store.
        bucket: bucket or container; the path of a folder.
        prefix: first segments of all keys, without slashes around them.
    """

    scheme: Scheme
    bucket: str
    prefix: str = ""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Parse a URL.

        >>> ObjectAddress.parse("s3://backups/tacit/eu/")
        ObjectAddress(scheme='s3', bucket='backups', prefix='tacit/eu')
        >>> str(ObjectAddress.parse("file:///var/backups/tacit/"))
        'file:///var/backups/tacit'

        Raises:
            ConfigurationError: the text has another form; the message has no part of the text.
        """
        try:
            parts = urlsplit(url)
        except ValueError:
            raise ConfigurationError([FORM]) from None
        if "@" in parts.netloc:
            raise ConfigurationError([_NO_LOGIN.format(_CREDENTIALS.get(parts.scheme, "credentials"))])
        if not url.isprintable() or "?" in url or "#" in url:
            raise ConfigurationError([f"{FORM}, without ? and #"])
        if parts.scheme == "file":
            return cls("file", _folder(parts.netloc, parts.path))
        if parts.scheme not in _BUCKET:
            raise ConfigurationError([FORM])
        return cls(cast("Scheme", parts.scheme), _bucket(parts.scheme, parts.netloc), _prefix(parts.path))

    def at(self, key: str) -> str:
        """Return the whole key of an object, with the prefix."""
        return "/".join(part for part in (self.prefix, key) if part)

    def url(self, key: str = "") -> str:
        """Return the URL of an object."""
        return "/".join(part for part in (str(self), key) if part)

    def __str__(self) -> str:
        bucket = quote(self.bucket) if self.scheme == "file" else self.bucket
        return f"{self.scheme}://{bucket}/{self.prefix}".rstrip("/")


def _folder(host: str, path: str) -> str:
    folder = unquote(path)
    if host or not folder.startswith("/") or "\0" in folder or ".." in Path(folder).parts or not Path(folder).name:
        raise ConfigurationError(["must be file:///PATH with the absolute path of a folder"])
    return str(Path(folder))


def _bucket(scheme: str, bucket: str) -> str:
    if not _BUCKET[scheme].fullmatch(bucket):
        raise ConfigurationError(
            [f"{FORM}; the name of the bucket has 3 or more lower-case letters, digits or hyphens"]
        )
    return bucket


def _prefix(path: str) -> str:
    prefix = path.strip("/")
    if prefix and not is_key(prefix):
        raise ConfigurationError([f"{FORM}; a prefix has ASCII letters, digits and ._=@+,~- between single slashes"])
    return prefix
