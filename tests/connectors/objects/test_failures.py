"""Sentences of failures: the URL, the cause and the remedy, without a text of the server."""

import pytest

from connectors.objects.failures import failure_of
from state.errors import ObjectRefusedError, ObjectStoreError
from tests.support.http_answers import SECRET, answer, answering, error_answer
from tests.support.object_server import opened

URL = "s3://backups/tacit"


@pytest.mark.parametrize(
    ("given", "reason", "is_refused"),
    [
        (error_answer("400 Bad Request", "AuthorizationHeaderMalformed"), "in another region (400 Authorization", True),
        (error_answer("301 Moved Permanently", "PermanentRedirect"), "in another region", True),
        (error_answer("403 Forbidden", "RequestTimeTooSkewed"), "the clock of this machine is wrong (403 Requ", True),
        (error_answer("400 Bad Request", "ExpiredToken"), "the credentials are no longer valid (400 Exp", True),
        (answer("401 Unauthorized"), "no rights (401); correct AWS_ACCESS_KEY_ID", True),
        (answer("418 Teapot"), "the store rejects the request (418)", True),
        (error_answer("503 Slow Down", "SlowDown"), "the store failed (503 SlowDown); check the store", False),
        (error_answer("507 Full", "InsufficientStorage"), "the store is full (507 InsufficientStorage)", False),
        (b"", "the connection failed; check AWS_ENDPOINT_URL", False),
        (b"nonsense\r\n\r\n", "the connection failed; check AWS_ENDPOINT_URL", False),
    ],
)
def test_answers_have_their_sentence(
    monkeypatch: pytest.MonkeyPatch, given: bytes, reason: str, is_refused: bool
) -> None:
    with answering(monkeypatch, [given]), pytest.raises(ObjectStoreError) as error:
        opened(URL).get("key")
    assert isinstance(error.value, ObjectRefusedError) is is_refused
    assert str(error.value).startswith(f"{URL}/key cannot be read: ")
    assert reason in str(error.value)
    assert SECRET not in str(error.value)


STATUS = "Server returned non-2xx status code: {}: <?xml?><Error><Code>{}</Code><Message>secret</Message></Error>"


@pytest.mark.parametrize(
    ("url", "text", "sentence"),
    [
        (
            "az://c/p",
            STATUS.format("404 Not Found", "ContainerNotFound"),
            "no such bucket (404 ContainerNotFound); create the bucket or correct the URL",
        ),
        (
            "az://c/p",
            STATUS.format("403 Forbidden", "AuthenticationFailed"),
            "the secret is wrong (403 AuthenticationFailed); correct AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_",
        ),
        (
            "az://c/p",
            STATUS.format("403 Forbidden", "AuthorizationPermissionMismatch"),
            "no rights (403 AuthorizationPermissionMismatch); correct AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_AC",
        ),
        (
            "gs://b/p",
            STATUS.format("403 Forbidden", "AccessDenied"),
            "no rights (403 AccessDenied); correct GOOGLE_APPLICATION_CREDENTIALS, or grant the role Storage Object",
        ),
        (
            "gs://b/p",
            "Error performing GET http://metadata.google.internal/ - HTTP error",
            "no credentials are set, and the machine has none; set GOOGLE_APPLICATION_CREDENTIALS",
        ),
        (
            "s3://b/p",
            "Error performing PUT http://169.254.169.254/latest/api/token - status code: 403 Forbidden",
            "no credentials are set, and the machine has none (403); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ),
        ("s3://b/p", "HttpError { kind: Timeout, source: TimedOut }", "no answer in time; check the network and the "),
    ],
)
def test_other_clouds_have_their_sentence(url: str, text: str, sentence: str) -> None:
    shown = str(failure_of(OSError(text), url, "written"))
    assert shown.startswith(f"{url} cannot be written: {sentence}")
    assert "secret<" not in shown
