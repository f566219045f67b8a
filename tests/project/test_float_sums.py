"""Sums of floats do not depend on the Python version.

Python 3.12 changed the builtin `sum` for floats. State and client use `math.fsum` or a loop for floats; each remaining
sum is of integers, and is listed here.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("client/tacit", "state", "operators")
INTEGER_SUMS = Counter(
    {
        ("client/tacit/reader/choice.py", "sum([len(instruction.text) + 1 for instruction in instructions])"): 1,
        ("operators/decoders/avro_limits.py", "sum((size.excess for size in sizes))"): 1,
        ("operators/decoders/framed.py", "sum((len(text) for _, text in schema.references))"): 1,
        (
            "state/account.py",
            "sum((sum(counts.values()) for counts in (self.outcomes, self.rejected, self.control_rejected)))",
        ): 1,
        ("state/account.py", "sum(counts.values())"): 1,
        ("state/counters.py", "sum(self.control_rejects.values())"): 1,
        ("state/storage/shard_database.py", "sum((file.size for file in self._tables.values()))"): 1,
        ("state/storage/shard_stores.py", "sum((store.checkpoint_bytes for store in self._open))"): 1,
        ("state/counters.py", "sum(self.outcomes.values())"): 1,
        ("state/counters.py", "sum(self.rejects.values())"): 1,
        ("state/learning/apprentice.py", "sum((one.n + other.n for one, other in strata))"): 2,
        ("state/learning/apprentice.py", "sum((one.n for one, _ in strata))"): 2,
        ("state/learning/apprentice.py", "sum((other.n for _, other in strata))"): 1,
        ("state/learning/apprentice.py", "sum((side.n for side in arms))"): 1,
        ("state/learning/contributors.py", "sum((byte.bit_count() for byte in packed))"): 1,
        ("state/learning/paired_loss.py", "sum((count > 0 for count in self._n))"): 1,
        ("state/learning/paired_loss.py", "sum(self._n)"): 1,
        ("state/learning/scoring.py", "sum(self._likes)"): 1,
        ("state/user/history.py", "sum((1 << scope for scope in set(scopes)))"): 1,
        ("state/user/history.py", "sum((state << 2 * scope for scope, state in enumerate(states)))"): 1,
        ("state/row/layout.py", "sum((window.panes.number for window in WINDOWS))"): 1,
    }
)
"""(File, expression) → how often: sums of integers, which are exact on every version."""


def builtin_sums(source: str) -> Iterator[str]:
    """Yield each call of the builtin `sum`, in a normal form."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "sum":
            yield ast.unparse(node)


def test_every_builtin_sum_is_of_integers() -> None:
    """A new sum is of floats, and takes `math.fsum`, or of integers, and joins the list."""
    found = Counter(
        (path.relative_to(ROOT).as_posix(), call)
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for call in builtin_sums(path.read_text(encoding="utf-8"))
    )
    assert found == INTEGER_SUMS


@pytest.mark.parametrize(
    ("source", "calls"),
    [
        ("fsum([0.1]) + numbers.sum()", []),
        ("sum(x for x in y)", ["sum((x for x in y))"]),
        ("a = sum([1]) + sum([1])", 2 * ["sum([1])"]),
    ],
)
def test_only_the_builtin_counts(source: str, calls: list[str]) -> None:
    """Sums of other modules and methods are no builtin."""
    assert list(builtin_sums(source)) == calls
