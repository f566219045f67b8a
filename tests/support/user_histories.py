"""Histories of one user, as the writes of a dataflow."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from hypothesis import strategies as st
from msgspec.structs import replace

from state.user.writes import GateWrite, Write
from tacit.contract.gates import SCOPES, ConsentState, Gate, GatePin, Scope, ScopeConsent
from tacit.contract.versions import version
from tests.support.sample_signals import HOUR_MS, NOW_MS, USER, signal, write

Step = Literal[
    "learn length", "learn tone", "pin length", "unpin length", "forget", "forget length",
    "deny learn", "deny use", "grant use", "opt out", "opt in",
]  # fmt: skip
steps = st.lists(st.sampled_from(get_args(Step)), min_size=1, max_size=10)


@dataclass
class UserOracle:
    """Oracle of the writes of each step: the smallest state that writes like the dataflow."""

    gate: Gate = field(default_factory=Gate)
    seq: int = 0
    learned: set[str] = field(default_factory=set)
    """Facets since the last wipe; all are written again when the user allows the use again."""

    def take(self, step: Step, at_ms: int) -> list[Write]:
        """Return the writes of a step."""
        self.seq += 1
        kind, _, facet = step.partition(" ")
        was_denied = self.gate.use.state == "denied"
        if kind == "learn":
            self.learned.add(facet)
            return [] if was_denied else self._signals([facet], at_ms)
        if kind in ("pin", "unpin"):
            value = "concise" if kind == "pin" else None
            self._change(pins={**self.gate.pins, facet: GatePin(value, at_ms)})
        elif step == "forget":
            self._consent("unasked", at_ms, [scope for scope in SCOPES if not self._denies(scope)])
            self._change(wiped_ms=at_ms, forgotten_ms=at_ms, pins={}, wiped={})
        elif kind == "forget":
            self.learned.discard(facet)
            self._change(wiped={**self.gate.wiped, facet: version(at_ms, self.seq)})
        else:
            self._answer(step, at_ms)
        is_allowed_again = was_denied and self.gate.use.state != "denied"
        return [GateWrite(USER, self.gate), *(self._signals(sorted(self.learned), at_ms) if is_allowed_again else [])]

    def _signals(self, facets: Sequence[str], at_ms: int) -> list[Write]:
        return [write((facet, signal("concise", at_ms, self.seq)), wiped_ms=self.gate.wiped_ms) for facet in facets]

    def _answer(self, step: Step, at_ms: int) -> None:
        kind, _, scope = step.partition(" ")
        scopes = SCOPES if kind == "opt" else [name for name in SCOPES if name == scope]
        denies = step in ("opt out", "deny learn", "deny use")
        self._consent("denied" if denies else "granted", at_ms, scopes)
        if step in ("opt out", "deny learn"):
            self._change(wiped_ms=at_ms, wiped={})

    def _denies(self, scope: Scope) -> bool:
        found: ScopeConsent = getattr(self.gate, scope)
        return found.state == "denied"

    def _consent(self, state: ConsentState, at_ms: int, scopes: Sequence[Scope]) -> None:
        self._change(**dict.fromkeys(scopes, ScopeConsent(state, at_ms)))

    def _change(self, **parts: Any) -> None:
        if parts.get("wiped_ms"):
            self.seq = 0
            self.learned.clear()
        self.gate = replace(self.gate, **parts)


def history_of(taken: Sequence[Step]) -> list[Write]:
    """Return the writes of some steps, a second apart, up to an hour ago at the earliest."""
    user, started_ms = UserOracle(), NOW_MS - HOUR_MS
    return [made for place, step in enumerate(taken) for made in user.take(step, started_ms + 1000 * place)]
