"""Simulation: events of a Copilot deployment with a known truth, from a seed.

>>> simulation = simulate(Scenario(end_ms=1_795_297_433_438, users=10, turns=100))
>>> len(list(simulation.events)) >= 100
True
>>> preferred = simulation.truth.preferred("user-000000", "length")
>>> preferred in simulation.catalogue.facets["length"].values
True
"""

from state.catalogue.numbered import NumberedCatalogue
from tacit_lab.simulate.events import Arrival, Kind
from tacit_lab.simulate.scenario import Scenario
from tacit_lab.simulate.serving import Serve, ServedTurn, ServeRecorder, TurnRequest
from tacit_lab.simulate.simulation import Simulation
from tacit_lab.simulate.tastes import Style
from tacit_lab.simulate.truth import Chances, Truth
from tacit_lab.simulate.users import SimulatedUser, SimulatedUsers

__all__ = [
    "Arrival",
    "Chances",
    "Kind",
    "Scenario",
    "Serve",
    "ServeRecorder",
    "ServedTurn",
    "SimulatedUser",
    "Simulation",
    "Style",
    "Truth",
    "TurnRequest",
    "simulate",
]


def simulate(scenario: Scenario, catalogue: NumberedCatalogue | None = None) -> Simulation:
    """Return the simulation of a scenario with a catalogue, by default the shipped one."""
    catalogue = catalogue or NumberedCatalogue.load()
    users = SimulatedUsers(scenario, catalogue)
    return Simulation(scenario, catalogue, users, Truth(users, users.topic_effects))
