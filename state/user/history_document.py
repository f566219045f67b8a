"""The document of a user's history, as Redis keeps it."""

from state.catalogue.numbered import NumberedCatalogue
from state.user.gate import STATES
from state.user.history import FORGET, FORGET_FACET, GRANT, LEARNED, POPULATION, UNPIN, USER, Entry, History
from state.user.writes import StoredHistory
from tacit.contract import history
from tacit.contract.gates import SCOPES
from tacit.contract.signals import Source
from tacit.contract.versions import version

_SOURCES: dict[int, Source] = {LEARNED: "learned", POPULATION: "population", USER: "user"}


def history_document(user: History, catalogue: NumberedCatalogue) -> StoredHistory:
    """Return the document of the present user; names that left the catalogue are in it, too."""
    at_s, count = user.written
    known = catalogue.history_texts
    actions: list[str] = []
    changes: list[str] = []
    for entry_s, *numbers in user.raw():
        kind = tuple(numbers)
        text = known.get(kind)
        if text is None:
            text = known[kind] = _rest(Entry(0, *numbers), catalogue)
        (changes if kind[0] <= USER else actions).append(f'{{"at_ms":{1000 * entry_s}{text}')
    texts = f'{{"v":"{version(1000 * at_s, count)}","actions":[{",".join(actions)}],"changes":[{",".join(changes)}]}}'
    return StoredHistory(1000 * at_s, texts.encode())


def _rest(entry: Entry, catalogue: NumberedCatalogue) -> str:
    """Return the JSON of an entry behind its time."""
    document = _change(entry, catalogue) if entry.is_change else _action(entry, catalogue)
    return history.encode_history(document).decode().removeprefix('{"at_ms":0')


def _change(entry: Entry, catalogue: NumberedCatalogue) -> history.Change:
    values = catalogue.ranked_names[entry.first]
    return history.Change(
        at_ms=1000 * entry.at_s,
        facet=catalogue.facet_names[entry.first],
        before=values[entry.second],
        value=values[entry.third],
        source=_SOURCES[entry.kind],
    )


def _action(entry: Entry, catalogue: NumberedCatalogue) -> history.Action:
    at_ms = 1000 * entry.at_s
    if entry.kind == FORGET:
        return history.Action(at_ms=at_ms, action="forget")
    if entry.facet is None:
        return _answer(entry)
    facet, values = catalogue.facet_names[entry.facet], catalogue.ranked_names[entry.facet]
    if entry.kind == FORGET_FACET:
        return history.Action(at_ms=at_ms, action="forget", facet=facet)
    value, previous = values[entry.second], values[entry.third]
    return history.Action(
        at_ms=at_ms, action="unpin" if entry.kind == UNPIN else "pin", facet=facet, value=value, previous=previous
    )


def _answer(entry: Entry) -> history.Action:
    scopes = [number for number in range(len(SCOPES)) if entry.first >> number & 1]
    return history.Action(
        at_ms=1000 * entry.at_s,
        action="consent",
        granted=entry.kind == GRANT,
        scopes=tuple([SCOPES[scope] for scope in scopes]),
        states=tuple([STATES[entry.second >> 2 * scope & 3] for scope in scopes]),
    )
