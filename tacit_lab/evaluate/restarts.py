"""Users whom the deployed model starts without beliefs again: all models meet them as new users.

The deployed model deletes a user's beliefs after an absence of 90 days, and with a wipe. The number of a piece of
feedback, by which figures are grouped, starts at 1 again. A baseline that kept the user would be compared at a number
that is not its own, so it gets another pseudonym for the same user.
"""

from hashlib import blake2b

from msgspec.structs import replace

from state.learning.example import Example

_PSEUDONYM_BYTES = 16


class Restarts:
    """Counts of each user's feedback, and a new pseudonym from each restart on."""

    def __init__(self) -> None:
        self._counts: dict[bytes, int] = {}
        """User → count of earlier feedback in the last example."""
        self._pseudonyms: dict[bytes, bytes] = {}
        """User → pseudonym since the last restart; users without one are absent."""
        self.n = 0
        """Restarts so far."""

    @property
    def users(self) -> int:
        """Users with an example; a restart makes no user."""
        return len(self._counts)

    def seen(self, e: Example) -> Example:
        """Return the example as other models see it: with the pseudonym since the user's last restart."""
        before = self._counts.get(e.user)
        self._counts[e.user] = e.feedback_count
        if before is not None and (not e.feedback_count or e.feedback_count < before):
            self.n += 1
            former = self._pseudonyms.get(e.user, e.user)
            self._pseudonyms[e.user] = blake2b(former, digest_size=_PSEUDONYM_BYTES).digest()
        pseudonym = self._pseudonyms.get(e.user)
        return e if pseudonym is None else replace(e, user=pseudonym)
