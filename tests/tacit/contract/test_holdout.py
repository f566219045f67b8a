"""tacit/contract/holdout: a stable share of users."""

from random import Random

import pytest

from tacit.contract.holdout import is_held_out

USERS = [Random(number).randbytes(16) for number in range(20_000)]


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_share_of_users_is_held_out(share: float) -> None:
    """Within three standard errors."""
    held_out = sum(is_held_out(user, share) for user in USERS)
    assert held_out / len(USERS) == pytest.approx(share, abs=3 * (share * (1 - share) / len(USERS)) ** 0.5)


def test_larger_share_keeps_the_users_of_a_smaller_one() -> None:
    """A change of the share moves as few users as possible."""
    small, large = ({user for user in USERS if is_held_out(user, share)} for share in (0.05, 0.1))
    assert small < large


def test_no_user_is_held_out_without_a_share() -> None:
    """The default."""
    assert not any(is_held_out(user, 0.0) for user in USERS)


def test_users_stay_the_same() -> None:
    """Readers and workers of different versions agree."""
    assert [is_held_out(user, 0.1) for user in USERS[:1000]].count(True) == 109
