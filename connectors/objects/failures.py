"""Failures of object storage as one sentence: the URL, the cause and the remedy; no text of a server, no secret."""

import re
from typing import NamedTuple

from state.errors import ObjectRefusedError, ObjectStoreError

_CODE = re.compile(r"<Code>\s*(\w{1,64})\s*</Code>")
_STATUS = re.compile(r"(?:status code: |status: )(\d{3})")
_PROBLEM = re.compile(r"source: (?!Credential|Os\b)([A-Z]\w+)(?: \{|,)")

_SECRETS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
}
_ENDPOINT = {"s3": "AWS_ENDPOINT_URL", "az": "AZURE_STORAGE_ENDPOINT", "gs": "GOOGLE_BASE_URL"}
_RIGHTS = {
    "s3": "s3:GetObject, s3:PutObject, s3:DeleteObject, s3:ListBucket and s3:AbortMultipartUpload",
    "az": "the role Storage Blob Data Contributor",
    "gs": "the role Storage Object User",
}


class _Rule(NamedTuple):
    """Failure with a word of the error's text, a cause and a remedy."""

    pattern: re.Pattern[str]
    cause: str
    remedy: str
    is_permanent: bool = True


def _rule(pattern: str, cause: str, remedy: str, *, is_permanent: bool = True) -> _Rule:
    return _Rule(re.compile(pattern), cause, remedy, is_permanent)


_OF_CODES = (
    _rule("NoSuchBucket|ContainerNotFound|InvalidBucketName", "no such bucket", "create the bucket or correct the URL"),
    _rule("ContainerBeingDeleted|ContainerDisabled|AccountIsDisabled", "the bucket is closed", "name another bucket"),
    _rule("SignatureDoesNotMatch|AuthenticationFailed", "the secret is wrong", "correct {secrets}"),
    _rule("InvalidAccessKeyId|InvalidSecurity", "the access key is unknown", "correct {secrets}"),
    _rule("ExpiredToken|InvalidToken|TokenRefreshRequired", "the credentials are no longer valid", "renew {secrets}"),
    _rule("RequestTimeTooSkewed", "the clock of this machine is wrong", "set the clock"),
    _rule(
        "AuthorizationHeaderMalformed|PermanentRedirect|IllegalLocationConstraint|TemporaryRedirect",
        "the bucket is in another region",
        "set AWS_REGION to the region of the bucket",
    ),
    _rule("KeyTooLong|InvalidURI|InvalidArgument", "the store does not take this key", "choose another prefix"),
    _rule("EntityTooLarge", "the object is too large", "raise the limit of the store"),
    _rule("QuotaExceeded|InsufficientStorage", "the store is full", "raise the quota", is_permanent=False),
)
_OF_STATUS = (
    _rule("40[13]", "no rights", "correct {secrets}, or grant {rights}"),
    _rule("30[1278]", "the bucket is in another region", "set AWS_REGION to the region of the bucket"),
    _rule("404", "no such bucket or object", "correct the URL"),
    _rule("408|409|429|5..", "the store failed", "check the store; a retry may succeed", is_permanent=False),
    _rule("4..", "the store rejects the request", "check the URL, {endpoint} and the store's log"),
)
_WITHOUT_STATUS = (
    _rule("redirect without LOCATION", "the bucket is in another region", "set AWS_REGION to the region of the bucket"),
    _rule("BadScheme", "plain HTTP is off", "use https://, or set {allow_http}=true for a network that you trust"),
    _rule(
        "InvalidCertificate|UnknownIssuer|certificate",
        "the certificate of the store is not accepted",
        "name the file of its authorities in SSL_CERT_FILE",
    ),
    _rule("InvalidContentType|InvalidMessage", "the store does not speak TLS", "check {endpoint}"),
    _rule("dns error", "the host is not found", "check {endpoint} and the network", is_permanent=False),
    _rule("ConnectionRefused", "the connection is refused", "check {endpoint} and the store", is_permanent=False),
    _rule("TimedOut|Timeout|deadline", "no answer in time", "check the network and the store", is_permanent=False),
)
_NO_CREDENTIALS = _rule(
    r"169\.254\.|latest/api/token|metadata\.google|metadata/identity|security-credentials",
    "no credentials are set, and the machine has none",
    "set {secrets}",
    is_permanent=False,
)
_OTHER = _rule("", "the connection failed", "check {endpoint}, the network and the store", is_permanent=False)


def failure_of(error: BaseException, url: str, doing: str) -> ObjectStoreError:
    """Return a failure of obstore as an error of Tacit.

    Args:
        error: the failure; its text may have parts of requests, and is not shown.
        url: URL of the object or the store.
        doing: "read", "written", "listed" or "deleted".
    """
    text = str(error)
    code = code_of(error)
    status = _STATUS.search(text)
    rule = _matching(text, code, status.group(1) if status else "")
    scheme = url.partition(":")[0]
    remedy = rule.remedy.format(
        secrets=_SECRETS.get(scheme, ""),
        rights=_RIGHTS.get(scheme, ""),
        endpoint=_ENDPOINT.get(scheme, ""),
        allow_http=ALLOW_HTTP.get(scheme, ""),
    )
    detail = " ".join(part for part in (status.group(1) if status else "", code) if part)
    cause = f"{rule.cause} ({detail})" if detail else rule.cause
    kind = ObjectRefusedError if rule.is_permanent else ObjectStoreError
    return kind(f"{url} cannot be {doing}: {cause}; {remedy}")


ALLOW_HTTP = {"s3": "AWS_ALLOW_HTTP", "az": "AZURE_ALLOW_HTTP", "gs": "GOOGLE_ALLOW_HTTP"}
"""Variable that allows an endpoint with plain HTTP, by scheme."""


def code_of(error: BaseException) -> str:
    """Return the code in the answer of a store, such as `NoSuchBucket`; "" without one."""
    found = _CODE.search(str(error))
    return found.group(1) if found else ""


def is_no_bucket(error: BaseException) -> bool:
    """Return True if the bucket, not the object, is missing."""
    return bool(_OF_CODES[0].pattern.search(code_of(error))) or "bucket does not exist" in str(error)


def cause_of_settings(error: BaseException) -> str:
    """Return the name of a problem with settings, such as `MissingAccount`."""
    found = _PROBLEM.search(str(error))
    return found.group(1) if found else type(error).__name__


def _matching(text: str, code: str, status: str) -> _Rule:
    if _NO_CREDENTIALS.pattern.search(text):
        return _NO_CREDENTIALS
    if is_code := next((rule for rule in _OF_CODES if code and rule.pattern.search(code)), None):
        return is_code
    if status:
        return next((rule for rule in _OF_STATUS if rule.pattern.fullmatch(status)), _OTHER)
    return next((rule for rule in _WITHOUT_STATUS if rule.pattern.search(text)), _OTHER)
