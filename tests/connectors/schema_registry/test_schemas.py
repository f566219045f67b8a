"""connectors/schema_registry/schemas: references, outages, and floods of ids that a stranger made up."""

from threading import Event
from typing import Any

import pytest
import structlog

from connectors.schema_registry.address import RegistryAddress
from connectors.schema_registry.schemas import MAX_MISSING, MISSING_FOR_S, NEAR, RegistrySchemas
from state.errors import SourceError
from state.events.registered_schema import RegisteredSchema, UnknownSchemaError
from tests.support.conditions import once
from tests.support.event_schemas import AVRO, PROTOBUF
from tests.support.ports import free_port
from tests.support.recorded_registry import RecordedRegistry, document


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def schemas(registry: RecordedRegistry, **options: Any) -> RegistrySchemas:
    return RegistrySchemas(RegistryAddress.parse(registry.url), **options)


def reference(name: str, subject: str, version: int = 1) -> dict[str, Any]:
    return {"name": name, "subject": subject, "version": version}


def test_schema_and_its_kind() -> None:
    """Avro is the kind without a name."""
    with RecordedRegistry({1: AVRO, 2: PROTOBUF}).serving() as registry:
        look_up = schemas(registry)
        assert (look_up(1), look_up(2)) == (AVRO, PROTOBUF)


def test_references_come_each_after_its_own() -> None:
    """One that two schemas refer to comes once."""
    registry = RecordedRegistry({})
    registry.documents = {
        "/api/schemas/ids/7": document(AVRO, [reference("B", "b"), reference("C", "c", 2)]),
        "/api/subjects/b/versions/1": document(RegisteredSchema("AVRO", "b"), [reference("C", "c", 2)]),
        "/api/subjects/c/versions/2": document(RegisteredSchema("AVRO", "c")),
    }
    with registry.serving():
        assert schemas(registry)(7).references == (("C", "c"), ("B", "b"))


def test_references_in_a_circle_are_refused() -> None:
    """Nor are there too many of them."""
    registry = RecordedRegistry({})
    registry.documents = {
        "/api/schemas/ids/7": document(AVRO, [reference("B", "b")]),
        "/api/subjects/b/versions/1": document(AVRO, [reference("B", "b")]),
        "/api/schemas/ids/8": document(AVRO, [reference(f"R{n}", "r") for n in range(40)]),
        "/api/subjects/r/versions/1": document(AVRO),
    }
    with registry.serving():
        for id_ in (7, 8):
            with pytest.raises(UnknownSchemaError, match="references are too many, or refer to each other"):
                schemas(registry)(id_)


@pytest.mark.parametrize(
    "answer", [{}, {"schema": 7}, {"schema": "", "references": [7]}, {"schema": "", "schemaType": 1}]
)
def test_answer_without_a_schema_is_unknown(answer: Any) -> None:
    """A record with that id is a reject."""
    registry = RecordedRegistry({})
    registry.documents = {"/api/schemas/ids/7": answer}
    with registry.serving(), pytest.raises(UnknownSchemaError, match="not a schema"):
        schemas(registry)(7)


def test_unknown_id_is_asked_about_once_in_a_while() -> None:
    """It may be registered later."""
    clock = Clock()
    with RecordedRegistry({}).serving() as registry:
        look_up = schemas(registry, clock=clock)
        for _ in range(50):
            with pytest.raises(UnknownSchemaError, match="does not have it"):
                look_up(99)
        assert len(registry.asked) == 1
        registry.documents["/api/schemas/ids/99"] = document(AVRO)
        clock.now += MISSING_FOR_S
        assert look_up(99) == AVRO


def test_flood_of_unknown_ids_does_not_reach_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests and memory are bounded; new schemas near the known ones are found all the same."""
    monkeypatch.setattr("connectors.schema_registry.schemas.MAX_MISSING", 20)
    clock = Clock()
    with RecordedRegistry({500: AVRO, 501: PROTOBUF}).serving() as registry:
        look_up = schemas(registry, clock=clock)
        assert look_up(500) == AVRO
        for id_ in range(10_000, 12_000):
            with pytest.raises(UnknownSchemaError):
                look_up(id_)
        assert len(registry.asked) == 1 + 20
        assert look_up(501) == PROTOBUF
        with pytest.raises(UnknownSchemaError, match="too many unknown ids"):
            look_up(502 + NEAR)
        clock.now += MISSING_FOR_S
        with pytest.raises(UnknownSchemaError, match="does not have it"):
            look_up(13_000)
    assert MAX_MISSING == 1_000


def test_record_waits_for_a_registry_that_is_down() -> None:
    """The outage is logged once, and its end; the schema is found, and not rejected."""
    port = free_port()
    registry = RecordedRegistry({1: AVRO})
    address = RegistryAddress.parse(f"http://127.0.0.1:{port}/api")
    stop = Event()
    with structlog.testing.capture_logs() as records, once(lambda: records, lambda: serve_until(registry, port, stop)):
        look_up = RegistrySchemas(address)
        look_up.check()
        assert look_up(1) == AVRO
        stop.set()
    assert [record["event"] for record in records] == ["schema_registry.failed", "schema_registry.recovered"]


def serve_until(registry: RecordedRegistry, port: int, stop: Event) -> None:
    with registry.serving(port=port):
        stop.wait(30)


@pytest.mark.parametrize("stops", [False, True])
def test_long_outage_is_an_error_that_loses_nothing(stops: bool) -> None:
    """A stop request ends the wait."""
    stop = Event()
    if stops:
        stop.set()
    address = RegistryAddress.parse(f"http://127.0.0.1:{free_port()}")
    look_up = RegistrySchemas(address, stop, retry_for_s=60 if stops else 0)
    cause = "was stopped while it waited" if stops else "did not answer in time"
    with pytest.raises(SourceError, match=rf"{cause}.*: no answer .*; no record is lost"):
        look_up(1)
