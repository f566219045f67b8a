"""Control events of simulated users: consents, pins and forgets, as events of the contract."""

from tacit_lab.simulate.events import Event, Kind, SimulatedEvent
from tacit_lab.simulate.scenario import Scenario
from tacit_lab.simulate.users import SimulatedUser


def control_events(scenario: Scenario, number: int, user: SimulatedUser) -> list[SimulatedEvent]:
    """Return all of a user's control events, in time order."""
    events: list[SimulatedEvent] = [
        *(SimulatedEvent(at, Kind.CONSENT, {"granted": granted}) for at, granted in user.consents),
        *(SimulatedEvent(pin.at, Kind.PIN, {"facet": pin.facet, "value": pin.value}) for pin in user.pins),
    ]
    if user.forgets_at is not None:
        events.append(SimulatedEvent(user.forgets_at, Kind.FORGET, {}))
    events.sort(key=lambda event: event.at_ms)
    return [
        SimulatedEvent(at, kind, _event(scenario, f"{number:x}-w{index}", user.user_id, at) | {"type": kind} | body)
        for index, (at, kind, body) in enumerate(events)
    ]


def _event(scenario: Scenario, event_id: str, user_id: str, at_ms: int) -> Event:
    return {
        "schema": 1,
        "event_id": f"{scenario.seed:x}-{event_id}",
        "user_id": user_id,
        "at": at_ms,
        "region": scenario.region,
    }
