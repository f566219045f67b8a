"""Measurement of parity: equal signals among the comparable users of a sample."""

from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field, replace
from enum import StrEnum
from time import time_ns
from typing import Any

from connectors.redis.client import COMMAND_RETRY_FOR_S, RedisClient
from connectors.redis.comparison import read_users
from connectors.redis.difference import Difference, FacetDifference, ProfileDifference, Terms
from connectors.redis.held import Held, held
from connectors.redis.namespaces import Namespaces
from connectors.redis.user_scan import sample_of, users_in
from dataflows.job import Job
from dataflows.parity.flow import replay_users
from dataflows.population_run import population_store
from dataflows.settings import EXACT, Settings
from state.learning.population_version import PopulationVersion
from tacit.contract.keys import RegionKeys
from tacit.contract.pseudonyms import pseudonym_bytes
from tacit.contract.versions import version
from tacit.errors import ConfigurationError

REPLAYED = "replayed"
"""Name of the replayed signals in a comparison."""


class Standing(StrEnum):
    """Comparability of one user."""

    COMPARED = "compared"
    """Served and replayed signals have seen the same events, or the served ones have seen fewer."""
    NEWER = "newer"
    """The served signals have seen an event behind the end of the history."""
    INCOMPLETE = "incomplete"
    """The served signals have counted more events than the history holds."""
    WITHOUT_HISTORY = "without_history"
    """The history has no signal of the user."""
    GONE = "gone"
    """The served signals ended during the run."""


@dataclass(slots=True)
class Parity:
    """Result of a run."""

    region: str
    namespace: str
    population: int
    """Number of the population version; 0: none."""
    difference: Difference
    users: Counter[Standing] = field(default_factory=Counter)
    at_s: float = 0.0
    """Time of the comparison, in seconds since 1970."""

    @property
    def _parts(self) -> list[FacetDifference | ProfileDifference]:
        return [*self.difference.facets.values(), self.difference.profile]

    @property
    def compared(self) -> int:
        """Number of signals and profiles that were compared."""
        return sum(part.both + part.only_first + part.only_second for part in self._parts)

    @property
    def same(self) -> int:
        """Number of signals and profiles that are the same."""
        return sum(part.same for part in self._parts)

    @property
    def rate(self) -> float | None:
        """Share of the compared signals and profiles that are the same; None without any."""
        return self.same / self.compared if self.compared else None

    def as_dict(self) -> dict[str, Any]:
        """Return the document of `--json`."""
        return {
            "region": self.region,
            "namespace": self.namespace,
            "population": self.population,
            "rate": None if self.rate is None else round(self.rate, 6),
            "signals": {"compared": self.compared, "same": self.same},
            "users": {str(standing): self.users[standing] for standing in Standing},
            "difference": self.difference.as_dict(),
        }


def measure_parity(job: Job, terms: Terms) -> Parity:
    """Run the history of a sample again, and compare with the signals that Redis serves after the run.

    Args:
        job: bounded job over the history; its namespace is the one to compare with.
        terms: tolerance and size of the sample.

    Raises:
        ConfigurationError: the namespace was never written, or lacks the population version of the settings.
        TacitError: Redis or the source cannot be read, or the run was stopped.
    """
    settings, keys = job.settings, RegionKeys(job.settings.region)
    with closing(RedisClient(settings.redis, retry_for_s=COMMAND_RETRY_FOR_S)) as client:
        Namespaces(client, keys).require(settings.namespace)
        sample = sample_of(users_in(client, keys, {settings.namespace}), terms.sample or 0)
        population = _population(settings)
        fixed = replace(job, settings=replace(settings, population="none", challenger=()))
        replayed = replay_users(fixed, frozenset(map(pseudonym_bytes, sample)), population)
        found = Parity(
            settings.region,
            settings.namespace,
            population.n if population else 0,
            Difference(settings.namespace, REPLAYED, terms),
        )
        for user, (served,), gate in read_users(client, keys, sample, (settings.namespace,)):
            one, other = held(served), held(replayed.fields(pseudonym_bytes(user)))
            standing = standing_of(one, other)
            found.users[standing] += 1
            if standing is Standing.COMPARED:
                found.difference.add(one, other, gate)
    found.at_s = time_ns() / 1e9
    return found


def standing_of(served: Held, replayed: Held) -> Standing:
    """Return the comparability of a user, by the events that both have seen."""
    if not served.raw:
        return Standing.GONE
    if not replayed.raw:
        return Standing.WITHOUT_HISTORY
    if served.is_opted_out or replayed.is_opted_out:
        return Standing.COMPARED
    (served_at, served_count), (replayed_at, replayed_count) = _seen(served), _seen(replayed)
    if served_at > replayed_at:
        return Standing.NEWER
    return Standing.INCOMPLETE if served_count > replayed_count else Standing.COMPARED


def _seen(user: Held) -> tuple[str, str]:
    """Return newest event time and count: those of the profile, which is written by time alone, if there is one."""
    signal = user.newest
    newest = user.profile.v if user.profile else signal.v if signal else version(0, 0)
    at, _, count = newest.partition("-")
    return at, count


def _population(settings: Settings) -> PopulationVersion | None:
    """Return the version that signals are computed with: the one of the settings, or the newest of the namespace."""
    if settings.population == EXACT:
        raise ConfigurationError(["population: exact is for tacit evaluate; use learn, none or a number"])
    if settings.population == "none":
        return None
    with closing(
        population_store(settings, settings.region, settings.namespace, retry_for_s=COMMAND_RETRY_FOR_S)
    ) as store:
        if settings.population_version is None:
            return store.newest()
        version_ = store.fetch(settings.population_version)
    if version_ is None:
        kept = f"version {settings.population} is not kept in namespace {settings.namespace}"
        raise ConfigurationError([f"population: {kept}; use learn for the newest one"])
    return version_
