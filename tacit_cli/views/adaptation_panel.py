"""Adaptation of one user, as a panel and as a document."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tacit.contract.activity import described
from tacit.contract.limits import limited_by
from tacit.contract.signals import Signal
from tacit.contract.wording import rather_than
from tacit.reader.adaptation import Adaptation

_UNIT = "example-conversation"
TIER_STYLE = {"apply": "bold green", "hint": "yellow", "default": "dim"}
_STATUS_TEXT = {
    "fresh": "fresh",
    "aged": "aged: no event for half of the time to live",
    "absent": "absent: no signals; defaults apply",
    "opted_out": "opted out, or the gate in Redis cannot be read: defaults apply",
    "unavailable": "Redis did not answer (tacit check has the reason); defaults apply",
    "unknown_schema": "written by another version; defaults apply",
}


_POLICY_TEXT = {
    "holdout": "holdout: the catalogue's defaults are served, for a comparison with all other users",
    "apprentice": "apprentice: the catalogue's defaults are served, and the values are proposed",
}


def adaptation_as_dict(adaptation: Adaptation) -> dict[str, Any]:
    """Return status, signals, profile and a choice as plain values."""
    choice = adaptation.choose(unit=_UNIT, explore=False)
    return {
        "status": adaptation.status,
        "consent": adaptation.consent._asdict(),
        "signals": msgspec.to_builtins(dict(adaptation.signals)),
        "limited_by": {facet: list(limited_by(signal)) for facet, signal in adaptation.signals.items()},
        "profile": msgspec.to_builtins(adaptation.profile),
        "choice": {
            "unit": _UNIT,
            "policy": choice.policy,
            "values": dict(choice.values),
            "acted_on": list(choice.acted_on),
            "proposed": list(choice.proposed),
        },
        "prompt": choice.prompt(),
    }


def adaptation_panel(adaptation: Adaptation, title: str, truth: Mapping[str, str] | None = None) -> RenderableType:
    """Return signals, profile and prompt; for a simulated user also the true preferences."""
    consent = ", ".join(f"{scope} {state}" for scope, state in adaptation.consent._asdict().items())
    parts: list[RenderableType] = [Text(f"status  {_STATUS_TEXT[adaptation.status]}"), Text(f"consent {consent}")]
    if adaptation.signals:
        parts += [Text(), _signals_table(adaptation, truth)]
        parts += [Text(), *lines] if (lines := [*_contexts(adaptation), *_limits(adaptation)]) else []
    if profile := adaptation.profile:
        topics = ", ".join(f"{topic} {share:.0%}" for topic, share in profile.topics) or "none"
        parts += [Text(), Text(f"turns   {described(profile.activity)}; topics: {topics}")]
    choice = adaptation.choose(unit=_UNIT, explore=False)
    if policy := _POLICY_TEXT.get(choice.policy):
        parts += [Text(), Text(f"policy  {policy}")]
    parts += [Text(), Text.assemble(("prompt  ", ""), (choice.prompt() or "(empty)", "italic"))]
    return Panel(Group(*parts), title=Text(title), title_align="left", expand=False, padding=(0, 1))


def _signals_table(adaptation: Adaptation, truth: Mapping[str, str] | None) -> Table:
    """Return a row per facet that has a signal."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("facet", "value", "confidence", "tier", *(["in truth"] if truth else []), "why"):
        wraps = heading == "why"
        table.add_column(heading, justify="right" if heading == "confidence" else "left", no_wrap=not wraps)
    for facet, signal in adaptation.signals.items():
        table.add_row(
            facet,
            signal.value,
            "–" if signal.confidence is None else f"{signal.confidence:.2f}",
            Text(signal.tier, style=TIER_STYLE[signal.tier]),
            *([truth[facet]] if truth else []),
            _why(signal),
        )
    return table


def limits_text(limits: Iterable[str]) -> str:
    """Return the limits of a tier as text.

    >>> limits_text(["uninformative_facet", "default_is_better"])
    'uninformative facet, default is better'
    """
    return ", ".join(limits).replace("_", " ")


def _why(signal: Signal) -> str:
    if signal.source == "user":
        return "set by the user"
    reasons = ", ".join(f"{kind} ×{count}" for kind, count in signal.why)
    return "; ".join(part for part in (rather_than(signal.runner_up, signal.gap), reasons) if part)


def _contexts(adaptation: Adaptation) -> Iterator[Text]:
    """Yield a line per context with the values that differ there."""
    found: dict[str, list[str]] = {}
    for facet, signal in adaptation.signals.items():
        for entry in signal.contexts if signal.source != "user" else ():
            found.setdefault(entry.context, []).append(f"{facet} {entry.value} ({entry.tier})")
    for context, values in found.items():
        yield Text(f"context {context}: {', '.join(values)}")


def _limits(adaptation: Adaptation) -> Iterator[Text]:
    """Yield a line per set of limits, with the facets whose tier they keep below `apply`."""
    facets: dict[str, list[str]] = {}
    for facet, signal in adaptation.signals.items():
        if limits := limits_text(limited_by(signal)):
            facets.setdefault(limits, []).append(facet)
    for limits, names in facets.items():
        yield Text(f"limit   {', '.join(names)}: {limits}")
