"""Opening of object storage by its URL."""

import threading

from connectors.objects.address import ObjectAddress
from connectors.objects.bucket import Bucket
from connectors.objects.folder import Folder
from connectors.objects.store import Limits, ObjectStore


def open_objects(
    address: ObjectAddress, limits: Limits | None = None, stop: threading.Event | None = None
) -> ObjectStore:
    """Return the store at an address; the first call shows whether it answers.

    Credentials come from the usual variables of each cloud (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, `AWS_REGION`,
    `AWS_WEB_IDENTITY_TOKEN_FILE`, `AZURE_STORAGE_ACCOUNT_NAME`, `GOOGLE_APPLICATION_CREDENTIALS` and so on). A secret
    may be in a file: `AWS_ACCESS_KEY_ID_FILE`, `AWS_SECRET_ACCESS_KEY_FILE`, `AWS_SESSION_TOKEN_FILE`,
    `AZURE_STORAGE_ACCOUNT_KEY_FILE`, `AZURE_STORAGE_SAS_TOKEN_FILE` and `AZURE_STORAGE_CLIENT_SECRET_FILE` have its
    path. An endpoint with plain HTTP needs `AWS_ALLOW_HTTP=true` (`AZURE_…`, `GOOGLE_…`).

    Args:
        address: scheme, bucket and prefix.
        limits: time limits; None: the usual ones.
        stop: event that ends all calls of this store within a second.

    Raises:
        ConfigurationError: the environment is incomplete or wrong.
    """
    if address.scheme == "file":
        return Folder(address, limits or Limits(), stop)
    return Bucket(address, limits or Limits(), stop)
