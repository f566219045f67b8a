"""client/tacit/contract/keys: keys of the contract, and names that cannot reach other keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tacit.contract.keys import RegionKeys, hash_tag
from tacit.errors import ConfigurationError

USER = bytes(range(16))
PSEUDONYM = "k1.000102030405060708090a0b0c0d0e0f"


def test_keys_are_those_of_the_contract() -> None:
    keys = RegionKeys("eu")
    live = keys.within("live")
    assert keys.gate(USER) == f"tacit:v1:eu:{{{PSEUDONYM}}}:gate"
    assert keys.namespaces == "tacit:v1:eu:namespaces"
    assert keys.active == "tacit:v1:eu:active"
    assert live.signals(USER) == live.signals_of(PSEUDONYM) == f"tacit:v1:eu:live:{{{PSEUDONYM}}}:signals"
    assert live.signals_pattern == "tacit:v1:eu:live:{*}:signals"
    assert live.defaults == "tacit:v1:eu:{live}:defaults"
    assert live.population == "tacit:v1:eu:{live}:population"
    assert live.population_version(7) == "tacit:v1:eu:{live}:population:7"
    assert live.population_pinned == "tacit:v1:eu:{live}:population:pinned"


@pytest.mark.parametrize("region", ["", "e", "EU", "eu:us", "eu*", "eu\n", "e" * 17, "{eu}"])
def test_region_outside_the_contract_is_rejected(region: str) -> None:
    with pytest.raises(ConfigurationError, match="region"):
        RegionKeys(region)


@pytest.mark.parametrize("namespace", ["", "live:x", "{live}", "LIVE", "live\n", "x" * 33])
def test_namespace_outside_the_pattern_is_rejected(namespace: str) -> None:
    with pytest.raises(ConfigurationError, match="namespace"):
        RegionKeys("eu").within(namespace)


@given(st.binary(min_size=16, max_size=16), st.from_regex(r"\A[a-z0-9-]{1,32}\Z"))
def test_all_keys_of_a_user_share_a_hash_tag(user: bytes, namespace: str) -> None:
    """Redis Cluster hashes the text between the first `{` and the next `}`."""
    keys = RegionKeys("eu")
    tags = {hash_tag(key) for key in (keys.gate(user), keys.within(namespace).signals(user))}
    assert tags == {f"k1.{user.hex()}"}
