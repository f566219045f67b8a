"""Checks of an event before sending, against the contract and against the names of a catalogue."""

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from tacit.contract.catalogue import Catalogue
from tacit.contract.events import ActedOn, Event, Forget, Interaction, Pin, encode_event
from tacit.errors import EventError

_PLACE = re.compile(r"(?P<rule>.*) - at `\$\.?(?P<member>.*)`", re.DOTALL)
_WRONG_CHOICE = re.compile(r"Invalid enum value .*", re.DOTALL)

_Named = tuple[str, str, Iterable[str]]
"""Path, name, and the allowed names."""


def checked(event: Event, catalogue: Catalogue | None) -> bytes:
    r"""Return the event as JSON.

    Args:
        event: the event.
        catalogue: the names that the event may have; None: the contract alone counts.

    Raises:
        EventError: the event breaks the contract, or names something outside the catalogue.

    >>> checked(Forget(schema=1, event_id="e 1", user_id="ada", at=1795297433438, region="eu"), None)
    Traceback (most recent call last):
    ...
    tacit.errors.EventError: event_id: Expected `str` matching regex '^[A-Za-z0-9_.:-]{1,64}\\Z'
    """
    try:
        data = encode_event(event)
    except msgspec.ValidationError as error:
        raise _explained(str(error)) from None
    except UnicodeEncodeError:  # its text has the value
        raise EventError("", "a text has a lone surrogate, which is no Unicode character") from None
    if catalogue is not None:
        check_names(event, catalogue)
    return data


def check_names(event: Event, catalogue: Catalogue) -> None:
    """Check the names of an event; EventError with the path of the first name that is not in the catalogue."""
    for path, name, allowed in _names(event, catalogue):
        if name not in allowed:
            raise EventError(path, f"not in the catalogue; allowed are {', '.join(allowed) or 'none'}")


def _explained(text: str) -> EventError:
    found = _PLACE.fullmatch(text)
    rule, member = (found["rule"], found["member"]) if found else (text, "")
    return EventError(member, _WRONG_CHOICE.sub("not one of the allowed values", rule))


def _names(event: Event, catalogue: Catalogue) -> Iterator[_Named]:
    if isinstance(event, Interaction):
        yield from _names_of_answer(event, catalogue)
    elif isinstance(event, Pin):
        yield "facet", event.facet, catalogue.facets
        if event.value is not None:
            yield "value", event.value, catalogue.facets[event.facet].values
    elif isinstance(event, Forget):
        for number, facet in enumerate(event.facets or ()):
            yield f"facets[{number}]", facet, catalogue.facets


def _names_of_answer(event: Interaction, catalogue: Catalogue) -> Iterator[_Named]:
    if event.topic is not None:
        yield "topic", event.topic, catalogue.topics.values
    if event.surface is not None:
        yield "surface", event.surface, catalogue.surfaces.values
    for facet, values in (event.served or {}).items():
        yield f"served.{facet}", facet, catalogue.facets
        for value in [values] if isinstance(values, str) else _several(facet, values, catalogue):
            yield f"served.{facet}", value, catalogue.facets[facet].values
    if event.feedback is not None:
        yield "feedback.kind", event.feedback.kind, catalogue.feedback
        for number, facet in enumerate(event.feedback.facets or ()):
            yield f"feedback.facets[{number}]", facet, catalogue.facets
    yield from _names_of_signals("acted_on", event.acted_on, catalogue)
    yield from _names_of_signals("proposed", event.proposed, catalogue)


def _several(facet: str, values: Sequence[str], catalogue: Catalogue) -> Sequence[str]:
    if len(values) > 1 and not catalogue.facets[facet].multiple:
        raise EventError(f"served.{facet}", "several values of a facet that is not `multiple`; serve one")
    return values


def _names_of_signals(member: str, followed: Sequence[ActedOn] | None, catalogue: Catalogue) -> Iterator[_Named]:
    for number, entry in enumerate(followed or ()):
        path = f"{member}[{number}]"
        yield f"{path}.facet", entry.facet, catalogue.facets
        yield f"{path}.value", entry.value, catalogue.facets[entry.facet].values
        if entry.runner_up is not None:
            yield f"{path}.runner_up", entry.runner_up, catalogue.facets[entry.facet].values
