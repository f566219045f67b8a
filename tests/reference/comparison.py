"""Comparison of the reference and the product over a stream, and the shortest stream with a difference."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby
from random import Random
from typing import Any, Protocol, TypeVar

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import NONE, Kind, Observation
from state.learning.population_prior import Prior
from state.learning.population_version import PopulationVersion
from state.user.rules import Rules
from tests.reference import model, product
from tests.reference.shard import Batch, Shard
from tests.reference.streams import NewCatalogue, NewVersion, Reload, Stream, random_stream


class OtherShard(Protocol):
    """A shard of the product."""

    def visible(self, batch: Batch) -> Batch:
        """Return the part of a batch's results that the shard shows."""

    def batch(self, observations: Sequence[Observation], rules: Rules) -> Batch:
        """Take in a batch."""

    def save(self) -> None:
        """Save all users; from now on they are loaded, perhaps under a later catalogue."""

    def content(self, rules: Rules) -> dict[bytes, Any]:
        """Return the contents of all users."""


OpenShard = Callable[[], AbstractContextManager[OtherShard]]


Result = TypeVar("Result")


class DifferenceError(Exception):
    """The first difference between reference and product."""


class Comparison:
    """Reference and product with the same users."""

    def __init__(self, stream: Stream, other: OtherShard) -> None:
        self._stream, self._other = stream, other
        self._reference = Shard(model)
        self._version: PopulationVersion | None = None
        self._rules: Rules | None = None

    def run(self) -> None:
        """Process the whole stream.

        Raises:
            DifferenceError: reference and product differ.
        """
        for is_event, steps in groupby(self._stream.steps, lambda step: isinstance(step, Observation)):
            if is_event:
                self._batch([step for step in steps if isinstance(step, Observation)])
                continue
            for step in steps:
                self._step(step)
        self._save()

    def _step(self, step: object) -> None:
        match step:
            case NewCatalogue(catalogue):
                self._put(catalogue)
                self._save()
            case NewVersion(version) if self._rules is not None:
                self._version = version
                self._put(self._rules.catalogue)
            case Reload():
                self._save()

    def _put(self, catalogue: NumberedCatalogue) -> None:
        ttl_ms, lateness_ms, teaches, proves = self._stream.settings
        prior = Prior(catalogue, self._version)
        if version := self._version:
            found = _of_product(lambda: product.default_signals(prior, version))
            compare("default signals", model.default_signals(prior, version), found)
        self._rules = Rules(
            catalogue,
            lateness_ms=lateness_ms,
            ttl_ms=ttl_ms,
            teaches=teaches,
            proves=proves,
            population=prior,
        )

    def _batch(self, observations: Sequence[Observation]) -> None:
        rules = self._rules
        if rules is None:
            return
        fitting = [o for o in observations if fits(o, rules.catalogue)]
        if not fitting:
            return
        expected = self._other.visible(self._reference.batch(fitting, rules))
        found = _of_product(lambda: self._other.batch(fitting, rules))
        for member in Batch._fields:
            compare(member, getattr(expected, member), getattr(found, member))

    def _save(self) -> None:
        rules = self._rules
        if rules is not None:
            self._reference.save()
            _of_product(self._other.save)
            compare("content", self._reference.content(rules), _of_product(lambda: self._other.content(rules)))


def _of_product(call: Callable[[], Result]) -> Result:
    """Return the result of a call; an error of the product is a difference."""
    try:
        return call()
    except Exception as error:
        raise DifferenceError(f"the product raised {error!r}") from error


def compare(path: str, expected: object, found: object) -> None:
    """Compare two values part by part; raise `DifferenceError` with the path of the first difference."""
    if expected == found:
        return
    if isinstance(expected, dict) and isinstance(found, dict) and expected.keys() == found.keys():
        for key, value in expected.items():
            compare(f"{path}[{key!r}]", value, found[key])
    elif isinstance(expected, list | tuple) and isinstance(found, list | tuple) and len(expected) == len(found):
        for number, (ours, theirs) in enumerate(zip(expected, found, strict=True)):
            compare(f"{path}[{number}]", ours, theirs)
    else:
        raise DifferenceError(f"{path}: the reference has\n  {expected!r}\nand the product has\n  {found!r}")


def fits(o: Observation, catalogue: NumberedCatalogue) -> bool:
    """Return whether all numbers of an event are in the catalogue, as they are in a shortened stream."""
    facets, slots = set(catalogue.facet_index.values()), set().union(*catalogue.facet_slots)
    if o.kind in {Kind.GRANT, Kind.DENY}:
        return True
    used = {*o.slots, *o.proposed, *(slot for one in o.acted for slot in (one[0], one[2]) if slot != NONE)}
    single = [catalogue.slot_facets[slot] for slot in o.slots if slot in slots]
    single = [facet for facet in single if not catalogue.facets[catalogue.facet_names[facet]].multiple]
    return (
        used <= slots
        and facets >= set(o.facets)
        and len(set(single)) == len(single)
        and o.topic in {NONE, *catalogue.topic_index.values()}
        and o.surface in {NONE, *catalogue.surface_index.values()}
        and o.feedback in {NONE, *catalogue.feedback_kinds}
    )


def in_memory() -> AbstractContextManager[OtherShard]:
    """Return a shard of the product in memory."""
    return nullcontext(Shard(product))


def difference(stream: Stream, open_shard: OpenShard) -> str:
    """Return the first difference over a stream; empty without any."""
    with open_shard() as other:
        try:
            Comparison(stream, other).run()
        except DifferenceError as found:
            return str(found)
    return ""


def shortest(stream: Stream, open_shard: OpenShard) -> Stream:
    """Return the stream without the steps that its difference does not need."""
    size = len(stream.steps) // 2
    while size:
        start = 0
        while start < len(stream.steps):
            shorter = stream._replace(steps=[*stream.steps[:start], *stream.steps[start + size :]])
            if difference(shorter, open_shard):
                stream = shorter
            else:
                start += size
        size //= 2
    return stream


def report(seed: int, open_shard: OpenShard, most: int = 200, *, is_calm: bool = False) -> str:
    """Return the difference over the stream of a seed with a shortened stream; empty without any."""
    stream = random_stream(Random(seed), most, is_calm=is_calm)
    if not difference(stream, open_shard):
        return ""
    stream = shortest(stream, open_shard)
    steps = "\n".join(f"  {step!r}" for step in stream.steps)
    return f"seed {seed}, at most {most} events: {difference(stream, open_shard)}\nafter {stream.settings} and\n{steps}"
