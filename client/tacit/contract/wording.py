"""Words for the numbers of a signal."""

CLEAR_GAP = 0.15
SOME_GAP = 0.05
"""Differences of two chances of a like from which a preference is clear, and from which it is more than slight."""


def rather_than(runner_up: str | None, gap: float | None) -> str:
    """Return runner-up and gap of a preference in words; empty without a runner-up.

    >>> rather_than("balanced", 0.22), rather_than("balanced", 0.01), rather_than("balanced", None)
    ('rather than balanced, clearly', 'rather than balanced, slightly', 'rather than balanced')
    """
    if runner_up is None:
        return ""
    if gap is None:
        return f"rather than {runner_up}"
    degree = "clearly" if gap >= CLEAR_GAP else "somewhat" if gap >= SOME_GAP else "slightly"
    return f"rather than {runner_up}, {degree}"
