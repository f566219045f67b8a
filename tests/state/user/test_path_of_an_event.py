"""The path of one event through `UserState.observe`: each module is entered at most three times, with one exception.

An entry is a call from a function of one module to a function of another one. A loop over facets or values enters
once, so repeated calls between the same two functions count as one. Properties are exempt: they read a number of the
row. `state.learning.probit` is exempt, too: its functions are formulas of numbers alone. The path is that of the
uncompiled core; compiled calls are not traced.
"""

import sys
from collections import Counter
from pathlib import Path
from types import FrameType

import pytest

from state.events.observation import Observation
from state.learning.population_prior import Prior
from state.row.form import COMPILED
from state.user.rules import Rules
from state.user.user_state import UserState
from state.user.windows import PANE_MS
from tests.support.factories import CATALOGUE, START_MS, make_observation
from tests.support.sample_population import version

ROOT = Path(__file__).parents[3]
PACKAGES = (ROOT / "state", ROOT / "client" / "tacit")
EXEMPT = "state.learning.probit"
MOST = {"state.learning.decisions": 5, "state.learning.own_beliefs": 4, "state.learning.answer_part": 6}
"""Allowed entries, where more than 3: the decision in a context is made of the functions of the general one, compiled
functions return one number each, and the part of an answer is where the steps of a training meet."""
STYLE = {"length": "concise", "format": "table"}


def module_of(frame: FrameType) -> str | None:
    """Return the project's module of a frame; None for other code."""
    path = Path(frame.f_code.co_filename)
    is_ours = any(path.is_relative_to(package) for package in PACKAGES)
    return ".".join(path.relative_to(ROOT).with_suffix("").parts) if is_ours else None


def is_property(frame: FrameType) -> bool:
    """Return whether a frame runs a property."""
    owner: object = sys.modules.get(frame.f_globals["__name__"])
    for name in frame.f_code.co_qualname.split("."):
        owner = vars(owner).get(name) if owner is not None and hasattr(owner, "__dict__") else None
    return isinstance(owner, property)


def entries(state: UserState, o: Observation, rules: Rules) -> Counter[str]:
    """Observe an event, and return the number of entries of each module."""
    calls = set[tuple[str, str, str]]()

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event != "call" or (module := module_of(frame)) is None or is_property(frame):
            return
        caller = frame.f_back
        while caller is not None and (calling := module_of(caller)) is None and caller.f_back is not None:
            caller = caller.f_back  # through a library, for example a constructor that a decorator made
        if caller is not None and calling not in (module, None):
            calls.add((f"{calling}.{caller.f_code.co_qualname}", module, frame.f_code.co_qualname))

    sys.setprofile(profile)
    try:
        state.observe(o, rules)
    finally:
        sys.setprofile(None)
    return Counter(module for _, module, _ in calls if module != EXEMPT)


def like(n: int, feedback: str = "thumbs_up") -> Observation:
    """Return feedback on a new turn in a new pane."""
    at_ms, acted = START_MS + n * PANE_MS, [("length", "concise", 0.5)]
    return make_observation(at_ms, served=STYLE, feedback=feedback, topic="code", turn=n + 1, acted=acted)


@pytest.mark.skipif(COMPILED, reason="compiled calls are not traced")
@pytest.mark.parametrize("prior", [Prior(CATALOGUE), Prior(CATALOGUE, version(7))], ids=["alone", "with a population"])
@pytest.mark.parametrize("feedback", ["thumbs_up", "thumbs_down", "shorter"])
def test_event_enters_each_module_at_most_three_times(prior: Prior, feedback: str) -> None:
    """The user exists, so no part of the state is created."""
    rules = Rules(CATALOGUE, teaches=True, population=prior)
    state = UserState(CATALOGUE)
    for n in range(3):
        state.observe(like(n), rules)
    found = entries(state, like(3, feedback), rules)
    assert found["state.user.windows"], "the path was not traced"
    assert {module: count for module, count in found.items() if count > MOST.get(module, 3)} == {}
