"""Contributors in a state of an earlier version, which had one set per feature for all shards.

The sets cannot be divided between shards. So every shard refuses votes of these users on these features until the next
season, and the votes that had not been released are lost.
"""

from collections.abc import Mapping
from typing import NamedTuple

from state.learning.contributors import Contributors


class EarlierVotes(NamedTuple):
    """Contributors by feature."""

    season: int
    contributors: Mapping[str, bytes]
    """Packed."""

    def sets(self) -> dict[str, Contributors]:
        """Return feature → contributors."""
        return {name: Contributors(packed) for name, packed in self.contributors.items()}


NO_EARLIER = EarlierVotes(0, {})
