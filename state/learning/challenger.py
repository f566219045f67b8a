"""Challengers: models of River that learn next to the deployed model, and never decide a signal.

A challenger predicts each example of its users before it trains with the example, so its log loss and that of the
deployed model are about the same feedback. Its weights are in the memory of one process: no checkpoint and no key has
them. A restart of the process, and a wipe of a user that it trained with, make it start without examples.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from state.learning.example import Example, Forget, Message
from state.learning.paired_loss import LossDifference, PairedLoss
from state.learning.river_model import RiverModel

MAX_USERS = 2**16
"""Users of a challenger that are remembered for wipes; with more, any wipe of a user of the share counts."""

_HASHES = 2**32


class ChallengerScores(NamedTuple):
    """Figures of a challenger since the start of the process."""

    model: str
    """Import path."""
    loss: LossDifference | None
    """The deployed model is the first, the challenger the second; None without feedback."""
    restarts: int
    """Starts without examples, because a user was wiped."""
    stopped: bool
    """An error stopped the challenger."""
    share: float = 1.0
    """Share of users, 0–1."""


class Challenger:
    """One model with its share of the users."""

    def __init__(self, path: str, parameters: Mapping[str, Any] | None, share: float) -> None:
        """Start without examples; the share of users is 0–1. Errors are those of `RiverModel`."""
        self.path = path
        self._parameters = parameters
        self._share = share
        self._below = round(share * _HASHES)
        self._model = RiverModel(path, parameters)
        self._users: set[bytes] = set()
        self._losses = PairedLoss()
        self._restarts = 0
        self.error: str | None = None
        """Class of the error that stopped the challenger."""

    def takes(self, user: bytes) -> bool:
        """Return whether a user, by pseudonym, is in the share; a larger share keeps all users of a smaller one."""
        return int.from_bytes(user[:4], "big") < self._below

    def learn(self, e: Example) -> None:
        """Score an example of a user in the share, and train with it; an error stops the challenger."""
        if self.error is not None or not self.takes(e.user):
            return
        try:
            p = self._model.predict(e)
            self._model.learn(e)
        except Exception as error:  # whatever River raises, the run continues
            self.error = type(error).__name__
            self._start()
            return
        self._losses.add(e.user, e.liked, e.p, p)
        if len(self._users) < MAX_USERS:
            self._users.add(e.user)

    def forget(self, user: bytes) -> None:
        """Start without examples if the model trained with a user, given by pseudonym."""
        if user in self._users or (len(self._users) == MAX_USERS and self.takes(user)):
            self._start()
            self._restarts += 1

    def _start(self) -> None:
        """Drop all weights."""
        self._model, self._users = RiverModel(self.path, self._parameters), set()

    def scores(self) -> ChallengerScores:
        """Return the figures."""
        return ChallengerScores(self.path, self._losses.result(), self._restarts, self.error is not None, self._share)


class Challengers:
    """The challengers of a run; `report` is called once with path and error of each that stops."""

    def __init__(self, challengers: Sequence[Challenger], report: Callable[[str, str], object]) -> None:
        self._all = challengers
        self._running = list(challengers)
        self._report = report

    def take(self, message: Message) -> None:
        """Take an example or a forget, in the order of the stream."""
        for challenger in self._running:
            if isinstance(message, Forget):
                challenger.forget(message.user)
            else:
                challenger.learn(message)
        for stopped in [challenger for challenger in self._running if challenger.error is not None]:
            self._running.remove(stopped)
            self._report(stopped.path, stopped.error or "")

    def scores(self) -> tuple[ChallengerScores, ...]:
        """Return the figures of each."""
        return tuple(challenger.scores() for challenger in self._all)
