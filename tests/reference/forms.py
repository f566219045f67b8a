"""Hash of everything that the product does over random streams, for a comparison of compiled and uncompiled form.

`python -m tests.reference.forms 40` prints the form and the hash.
"""

import sys
from collections.abc import Sequence
from hashlib import sha256
from random import Random
from typing import Any

from state.events.observation import Observation
from state.row.form import COMPILED
from state.user.rules import Rules
from tests.reference import product
from tests.reference.comparison import Comparison
from tests.reference.shard import Batch, Shard
from tests.reference.streams import random_stream


class HashedShard(Shard):
    """A shard of the product whose results, contents and rows are hashed."""

    def __init__(self) -> None:
        super().__init__(product)
        self.hash = sha256()

    def batch(self, observations: Sequence[Observation], rules: Rules) -> Batch:
        """Take in a batch, and hash its results."""
        found = super().batch(observations, rules)
        self.hash.update(repr(found).encode())
        return found

    def content(self, rules: Rules) -> dict[bytes, Any]:
        """Return the contents of all users, and hash them with the bytes of their rows."""
        found = super().content(rules)
        self.hash.update(repr(found).encode())
        for user in found:
            self.hash.update(product.packed(self._load(user, rules)))
        return found


def hash_of(streams: int) -> str:
    """Return the hash over as many streams, which are equal to those of the reference, too."""
    found = sha256()
    for seed in range(streams):
        shard = HashedShard()
        Comparison(random_stream(Random(seed)), shard).run()
        found.update(shard.hash.digest())
    return found.hexdigest()


if __name__ == "__main__":
    sys.stdout.write(f"{'compiled' if COMPILED else 'uncompiled'} {hash_of(int(sys.argv[1]))}\n")
