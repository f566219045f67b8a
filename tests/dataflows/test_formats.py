"""dataflows/formats: the format of the settings, and errors before a run starts."""

import subprocess
import sys
from pathlib import Path

import pytest
import structlog

from dataflows.formats import check_registry, format_of
from dataflows.settings import Settings, load
from operators.decoders import json
from state.errors import SourceError
from tacit.contract.events import Interaction
from tacit.errors import ConfigurationError
from tests.support import event_schemas
from tests.support.event_schemas import AVRO, AVRO_ID
from tests.support.factories import FULL_EVENT
from tests.support.parser import SECRET
from tests.support.ports import free_port
from tests.support.recorded_registry import RecordedRegistry


def settings(**members: object) -> Settings:
    return Settings(**{"secret": SECRET.decode(), **members})  # type: ignore[arg-type]  # any setting


def test_json_needs_no_registry() -> None:
    """It is the default."""
    assert format_of(settings()) is json.FORMAT


def test_records_are_read_by_schemas_of_the_registry() -> None:
    """With the user and the password of the settings."""
    with RecordedRegistry({AVRO_ID: AVRO}, access="key:hunter2").serving() as registry:
        access = {"schema_registry_user": "key", "schema_registry_password": "hunter2"}
        found = format_of(settings(format="avro", schema_registry=registry.url, **access))
        assert isinstance(found.decode(event_schemas.avro(FULL_EVENT)), Interaction)


def test_password_may_be_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is named by a variable."""
    (tmp_path / "password").write_text("hunter2\n")
    monkeypatch.setenv("TACIT_SCHEMA_REGISTRY_PASSWORD_FILE", str(tmp_path / "password"))
    loaded = load({"format": "avro", "schema_registry": "http://r"}, needs_secret=False)
    assert loaded.registry is not None
    assert loaded.registry.password == "hunter2"


def test_registry_that_refuses_the_access_is_an_error_at_the_start() -> None:
    """The text has no password."""
    with RecordedRegistry({}, access="key:hunter2").serving() as registry:
        wrong = settings(format="avro", schema_registry=registry.url, schema_registry_password="hunter3")
        with pytest.raises(ConfigurationError, match="refuses the user or the password") as error:
            format_of(wrong)
    assert "hunter" not in f"{error.value}{wrong!r}"


def test_registry_that_is_down_is_no_error_at_the_start() -> None:
    """Records wait for it."""
    with structlog.testing.capture_logs() as records:
        format_of(settings(format="avro", schema_registry=f"http://127.0.0.1:{free_port()}"))
    assert [record["event"] for record in records] == ["schema_registry.failed"]


def test_check_finds_a_registry_that_is_down() -> None:
    """And none that answers."""
    address = settings(format="avro", schema_registry=f"http://127.0.0.1:{free_port()}").registry
    assert address is not None
    with pytest.raises(SourceError, match=r"cannot be used: no answer \(ConnectionRefusedError\); check the address"):
        check_registry(address)
    with RecordedRegistry({}).serving() as registry:
        answering = settings(format="avro", schema_registry=registry.url).registry
        assert answering is not None
        check_registry(answering)


@pytest.mark.parametrize(
    ("name", "package", "advice"),
    [
        ("avro", "fastavro", "pip install tacit-worker[avro]"),
        ("protobuf", "google.protobuf", "pip install tacit-worker[protobuf]"),
        ("protobuf", "grpc_tools", "pip install tacit-worker[protobuf]"),
    ],
)
def test_missing_package_is_an_error_with_its_name(name: str, package: str, advice: str) -> None:
    """In a process without the package."""
    code = (
        f"import sys; sys.modules['{package}'] = None\n"
        "from operators.decoders import input_format\n"
        "from tacit.errors import ConfigurationError\n"
        f"try: input_format('{name}', lambda id_: None)\n"
        "except ConfigurationError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert advice in done.stdout
    assert name in done.stdout


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"format": "avro"}, "schema_registry: is required for avro; name the registry by --schema-registry URL"),
        ({"schema_registry": "http://r"}, "schema_registry: applies to the formats avro and protobuf only"),
        ({"schema_registry_user": "u"}, "schema_registry_user: applies to the formats avro and protobuf only"),
        ({"format": "avro", "schema_registry": "r:1"}, "schema_registry: must be http://HOST:PORT"),
        ({"format": "xml"}, "format: must be json, avro or protobuf"),
    ],
)
def test_settings_that_do_not_fit_are_refused(members: dict[str, str], problem: str) -> None:
    """Before anything starts."""
    with pytest.raises(ConfigurationError, match=problem):
        settings(**members)
