"""Control events on their way into the source of the workers: a topic, or a `.jsonl` file.

Each function checks names against the catalogue, sends one event, and returns when the event is acknowledged: by all
in-sync replicas of a topic, or by the disk under a file. The commands and the HTTP API use the same functions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import msgspec

from connectors.files.appending import append_lines
from connectors.kafka.address import TopicAddress
from dataflows.control.users import same_id
from dataflows.settings import Settings
from tacit.contract.catalogue import Catalogue
from tacit.contract.events import Consent, Event, Forget, Pin, encode_event
from tacit.contract.gates import SCOPES, Scope
from tacit.errors import ConfigurationError
from tacit.sender.control_events import CommonMembers
from tacit.sender.identity import now_ms

FILE_SUFFIX = ".jsonl"

Write = Callable[[bytes, bytes], None]
"""Function that writes the key and the JSON of an event to the source, and returns when it is acknowledged."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A control event that the source has taken."""

    event: Consent | Pin | Forget = field(repr=False)
    source: str
    """The topic, or the path of the file."""


def send_consent(
    settings: Settings, user_id: str, *, granted: bool, scopes: Sequence[str] = (), write: Write | None = None
) -> Sent:
    """Send a consent, or its withdrawal; without scopes, for all of them. Arguments and errors as `send`."""
    wanted = _scopes(scopes)
    return send(settings, Consent(granted=granted, scope=wanted, **_common(settings, user_id)), write)


def send_pin(settings: Settings, user_id: str, facet: str, value: str | None, write: Write | None = None) -> Sent:
    """Send the user's own setting of a facet; None removes the setting. Arguments and errors as `send`."""
    _check_pin(Catalogue.load(settings.catalogue), facet, value)
    return send(settings, Pin(facet=facet, value=value, **_common(settings, user_id)), write)


def send_forget(settings: Settings, user_id: str, facets: Sequence[str] = (), write: Write | None = None) -> Sent:
    """Send a forget; without facets, of everything. Arguments and errors as `send`."""
    catalogue = Catalogue.load(settings.catalogue)
    for facet in facets:
        _check_facet(catalogue, facet)
    return send(settings, Forget(facets=list(dict.fromkeys(facets)) or None, **_common(settings, user_id)), write)


def send(settings: Settings, event: Consent | Pin | Forget, write: Write | None = None) -> Sent:
    """Send a control event to the source of the settings.

    Args:
        settings: settings with the source.
        event: the event.
        write: writes to the source, for a service that has a connection already; None: connect for this event.

    Raises:
        ConfigurationError: the settings name no source that takes events; a member of the event is not allowed.
        SinkError: the source did not acknowledge the event. It may or may not hold the event: send it again.
    """
    source = source_of(settings)
    data = _encoded(event)
    key = event.user_id.encode()
    if write is not None:
        write(key, data)
    elif isinstance(source, TopicAddress):
        _produce(source, key, data)
    else:
        append_lines(source, [data])
    return Sent(event, str(source))


def source_of(settings: Settings) -> TopicAddress | Path:
    """Return the source of the workers, which takes control events.

    Raises:
        ConfigurationError: the settings name none.
    """
    if settings.source is None:
        raise ConfigurationError(
            ["source: is required; name the workers' source by --source kafka://HOST:PORT/TOPIC or a .jsonl file"]
        )
    return settings.topic(settings.source) if settings.source.startswith("kafka:") else Path(settings.source)


def _produce(topic: TopicAddress, key: bytes, data: bytes) -> None:
    from connectors.kafka.producer import CheckedProducer  # a file needs no Kafka client

    with CheckedProducer(topic) as producer:
        producer.send(topic.topic, key, data)


def _encoded(event: Event) -> bytes:
    try:
        return encode_event(event)
    except (msgspec.ValidationError, UnicodeEncodeError):  # every other member is checked; the texts repeat no id
        rule = "a user id has 1 to 128 characters, none of them a control character; correct it"
        raise ConfigurationError([f"user: {rule}"]) from None


def _common(settings: Settings, user_id: str) -> CommonMembers:
    return {
        "schema": 1,
        "event_id": f"c-{uuid4().hex}",
        "user_id": same_id(settings, user_id),
        "at": now_ms(),
        "region": settings.region,
    }


def _scopes(names: Sequence[str]) -> list[Scope] | None:
    if unknown := [name for name in names if name not in SCOPES]:
        raise ConfigurationError([f"scope: {name!r} is no scope; allowed are {', '.join(SCOPES)}" for name in unknown])
    return [scope for scope in SCOPES if scope in names] or None


def _check_facet(catalogue: Catalogue, facet: str) -> None:
    if facet not in catalogue.facets:
        allowed = ", ".join(catalogue.facets)
        raise ConfigurationError([f"facet: {facet!r} is not in the catalogue; allowed are {allowed}"])


def _check_pin(catalogue: Catalogue, facet: str, value: str | None) -> None:
    _check_facet(catalogue, facet)
    values = catalogue.facets[facet].values
    if value is not None and value not in values:
        raise ConfigurationError([f"value: {value!r} is no value of {facet}; allowed are {', '.join(values)}, none"])
