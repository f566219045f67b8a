"""Pins of a user, laid over the signals."""

from collections.abc import Mapping

from tacit.contract.catalogue import Catalogue
from tacit.contract.gates import GatePin
from tacit.contract.signals import Signal
from tacit.contract.versions import version


def with_pins(
    signals: Mapping[str, Signal], pins: Mapping[str, GatePin], defaults: Mapping[str, Signal], catalogue: Catalogue
) -> dict[str, Signal]:
    """Return the signals with a pin in place of each signal of a pinned facet, in the catalogue's order.

    Args:
        signals: facet → the user's signal.
        pins: facet → the last pin event, by the gate; a value that is not in the catalogue counts as no pin.
        defaults: facet → the population's signal.
        catalogue: the deployment's catalogue.

    >>> pins = {"tone": GatePin("formal", 7), "length": GatePin("shouted", 7)}
    >>> [(facet, signal.value) for facet, signal in with_pins({}, pins, {}, Catalogue.load()).items()]
    [('tone', 'formal')]
    """
    found = {}
    for name, facet in catalogue.facets.items():
        pin, signal = pins.get(name), signals.get(name)
        if pin is not None and pin.value in facet.values:
            without = signal or defaults.get(name)
            found[name] = _pinned(pin, without.default if without else facet.default, catalogue)
        elif signal is not None and (pin is None or signal.source != "user"):  # no pin from before gates had pins
            found[name] = signal
    return found


def _pinned(pin: GatePin, default: str | None, catalogue: Catalogue) -> Signal:
    return Signal(
        v=version(pin.at_ms, 0),
        value=pin.value or "",
        p=None,
        confidence=None,
        tier="apply",
        source="user",
        evidence=0.0,
        runner_up=None,
        gap=None,
        default=default,
        explore=0.0,
        why=(),
        by=f"m0.c{catalogue.version}.p0",
        at=pin.at_ms,
    )
