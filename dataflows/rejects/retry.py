"""Retry: records that are acceptable now go back into the source once, control events first."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from time import time_ns
from typing import Any, NamedTuple

from connectors.kafka.address import TopicAddress
from dataflows.outputs import refuse_outputs_in
from dataflows.rejects.acceptance import Acceptance
from dataflows.rejects.direction import looser
from dataflows.rejects.feed import Fed, Feed, feed_of
from dataflows.rejects.finding import Found, Missing, find_records
from dataflows.rejects.listing import Filter
from dataflows.rejects.marks import Marks, marks_of
from dataflows.rejects.stored import Mark, StoredReject, destinations, read_stored
from dataflows.settings import Settings
from state.events.records import Reason, Record
from tacit.errors import ConfigurationError

BATCH = 100
"""Records between two marks: a kill feeds at most so many again."""
EXAMPLES = 20
"""Places per outcome that a result names."""


class Outcome(StrEnum):
    """Outcome of one reject."""

    FED = "fed"
    """The destination has the record."""
    RETRIED = "retried"
    """An earlier retry fed the record."""
    REJECTED = "rejected"
    """The workers would still reject it."""
    LATE = "late"
    """The workers would reject it as late."""
    LOOSER = "looser"
    """A repair would make a control event less restrictive, or is of another user."""
    MISSING = "missing"
    """The origin does not hold the record."""


class Plan(NamedTuple):
    """Request of an operator."""

    to: str
    """A topic or a `.jsonl` file."""
    chosen: Filter = Filter()
    origins: frozenset[str] = frozenset()
    """Origins of the rejects; empty for all."""
    repairs: Mapping[str, bytes] | None = None
    """Repaired records by origin: these rejects alone are retried."""
    look: Sequence[str] = ()
    limit: int = 10_000
    """Most rejects at once, which bounds the memory."""
    feeds: bool = True
    """False: only report what would be fed."""


@dataclass(slots=True)
class Retried:
    """Result of a retry."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    controls: int = 0
    """Control events among the fed ones."""
    more: bool = False
    """The limit left rejects out."""
    examples: dict[Outcome, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    """Origins and reasons, at most `EXAMPLES` per outcome."""

    @property
    def left(self) -> int:
        """Number of rejects that were not fed, now or earlier."""
        return self.outcomes.total() - self.outcomes[Outcome.FED] - self.outcomes[Outcome.RETRIED]

    def add(self, outcome: Outcome, reject: StoredReject, detail: str = "") -> None:
        """Count a reject."""
        self.outcomes[outcome] += 1
        self.controls += outcome is Outcome.FED and bool(reject.control)
        if len(self.examples[outcome]) < EXAMPLES:
            self.examples[outcome].append((reject.name, detail))

    def as_dict(self) -> dict[str, Any]:
        """Return the document of `--json`."""
        return {
            "outcomes": {str(outcome): self.outcomes[outcome] for outcome in Outcome},
            "controls": self.controls,
            "more": self.more,
            "examples": {
                str(outcome): [{"origin": origin, "detail": detail} for origin, detail in found]
                for outcome, found in self.examples.items()
            },
        }


def retry(settings: Settings, plan: Plan) -> Retried:
    """Feed the chosen records that the workers would take now, and mark each as fed.

    Raises:
        ConfigurationError: the destination is an output of the workers; a repair names no reject.
        TacitError: an origin cannot be read, or the destination or the marks cannot be written.
    """
    refuse_outputs_in([plan.to], settings)
    acceptance, done, unknown = Acceptance(settings), Retried(), set(plan.repairs or ()) | set(plan.origins)
    with ExitStack() as stack:
        chosen = []
        for destination in destinations(settings):
            is_there = destination.startswith("kafka:") or Path(destination).exists()
            marks = stack.enter_context(marks_of(settings, destination)) if plan.feeds and is_there else None
            rejects = _choose(settings, destination, plan, done, unknown)
            chosen.append((marks, rejects))
        if unknown:
            names = ", ".join(sorted(unknown)[:EXAMPLES])
            raise ConfigurationError([f"origin: no reject with such an origin: {names}; see tacit rejects list"])
        feed = stack.enter_context(feed_of(settings, plan.to)) if plan.feeds else None
        for is_control in (True, False):
            for marks, rejects in chosen:
                some = [reject for reject in rejects if bool(reject.control) is is_control]
                _retry_all(_accepted(settings, plan, acceptance, some, done), feed, marks, plan.to, done)
    return done


def _choose(settings: Settings, destination: str, plan: Plan, done: Retried, unknown: set[str]) -> list[StoredReject]:
    """Return the chosen rejects without those that were fed earlier."""
    stored = read_stored(settings, destination)
    marked = {(mark.retried, mark.rejected) for mark in stored if isinstance(mark, Mark)}
    wanted = set(plan.repairs) if plan.repairs is not None else plan.origins
    found: dict[tuple[str, str], StoredReject] = {}
    skipped = set[tuple[str, str]]()
    for each in read_stored(settings, destination):
        if not isinstance(each, StoredReject) or not plan.chosen.takes(each) or each.place is None:
            continue
        if wanted and each.name not in wanted:
            continue
        unknown.discard(each.name)
        if each.key in marked:
            skipped.add(each.key)
        elif each.key in found or len(found) < plan.limit:
            found[each.key] = each
        else:
            done.more = True
    done.outcomes[Outcome.RETRIED] += len(skipped)
    return list(found.values())


def _accepted(
    settings: Settings, plan: Plan, acceptance: Acceptance, rejects: Sequence[StoredReject], done: Retried
) -> Iterator[Fed]:
    """Yield the records to feed; count all others."""
    repairs = plan.repairs or {}
    for reject, found in find_records(settings, rejects, plan.look):
        repaired = repairs.get(reject.name)
        if isinstance(found, Missing) and repaired is None:
            done.add(Outcome.MISSING, reject, found.text)
            continue
        fed = _fed(acceptance, reject, found, repaired)
        original = found.record.value if isinstance(found, Found) else None
        if repaired is not None and (problem := _is_looser(acceptance, reject, repaired, original)):
            done.add(Outcome.LOOSER, reject, problem)
            continue
        outcome, detail = _decide(acceptance, plan, reject, fed)
        if outcome is not Outcome.FED:
            done.add(outcome, reject, detail)
        else:
            yield fed


def _fed(acceptance: Acceptance, reject: StoredReject, found: Found | Missing, repaired: bytes | None) -> Fed:
    """Return a record with the time of the original one, which decides about lateness and about a "no" without time."""
    place = reject.place
    assert place is not None  # noqa: S101  # writes are not chosen
    record = found.record if isinstance(found, Found) else Record(*place, b"", reject.at)
    value = record.value if repaired is None else repaired
    event = acceptance.event_of(value)
    key = found.key if isinstance(found, Found) else None
    if key is None and event is not None:
        key = event.user_id.encode()
    return Fed(reject, record._replace(value=value), key)


def _is_looser(acceptance: Acceptance, reject: StoredReject, repaired: bytes, original: bytes | None) -> str | None:
    event = acceptance.event_of(repaired)
    return None if event is None else looser(event, reject.control, original)


def _decide(acceptance: Acceptance, plan: Plan, reject: StoredReject, fed: Fed) -> tuple[Outcome, str]:
    to_topic = plan.to.startswith("kafka:")
    if reject.reason == Reason.LATE and not to_topic:
        return Outcome.LATE, "late in its history; replay the history in order instead"
    times = {fed.record.timestamp_ms} | (set() if to_topic else {0})  # a line of a file has no time of its own
    for at_ms in sorted(times):
        if refused := acceptance.refusal(fed.record._replace(timestamp_ms=at_ms), in_order=to_topic):
            outcome = Outcome.LATE if refused.reason is Reason.LATE else Outcome.REJECTED
            return outcome, f"{refused.reason}: {refused.detail}"
    return Outcome.FED, ""


def _retry_all(records: Iterator[Fed], feed: Feed | None, marks: Marks | None, to: str, done: Retried) -> None:
    """Feed records in batches, and mark each batch once the destination has it."""
    batch: list[Fed] = []

    def end_batch() -> None:
        if feed is not None and marks is not None and batch:
            feed.send(batch)
            now_ms = time_ns() // 1_000_000
            name = str(TopicAddress.parse(to)) if to.startswith("kafka:") else str(Path(to).absolute())
            marks.write([_mark(fed, now_ms, name) for fed in batch])
        for fed in batch:
            done.add(Outcome.FED, fed.reject)
        batch.clear()

    for fed in records:
        batch.append(fed)
        if len(batch) == BATCH:
            end_batch()
    end_batch()


def _mark(fed: Fed, now_ms: int, to: str) -> Mark:
    return Mark(*fed.reject.key, sha256(fed.record.value).hexdigest(), now_ms, to)
