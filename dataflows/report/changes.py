"""Changes that a replay made to its namespace, and its differences from the namespace `live`."""

from contextlib import closing

from connectors.redis.client import COMMAND_RETRY_FOR_S, RedisClient
from connectors.redis.difference import Difference
from connectors.redis.namespaces import Namespaces
from connectors.redis.tally import tally
from dataflows.report.document import Changes, FacetChange, Tiers
from dataflows.runtime.replay import by_facet
from dataflows.settings import Settings
from state.counters import ForeseenCounters
from state.errors import SinkError
from tacit.contract.keys import LIVE, RegionKeys


def signals_now(settings: Settings) -> Tiers | None:
    """Return the signals of the target by facet and tier; None if the user of Redis may not list keys."""
    with closing(RedisClient(settings.redis, retry_for_s=COMMAND_RETRY_FOR_S)) as client:
        try:
            return tally(client, RegionKeys(settings.region), settings.namespace)
        except SinkError:
            return None


def changes_of(settings: Settings, before: Tiers | None) -> Changes:
    """Return the changes after a replay; the reason takes the place of a figure that is not known."""
    after = signals_now(settings)
    if after is None:
        return Changes(before, unknown="the user of Redis has no right to SCAN, as tacit-auditor has")
    unknown = "" if before is not None else "the signals before: the first part ran without --report"
    if settings.namespace == LIVE:
        return Changes(before, after, unknown=unknown)
    client = RedisClient(settings.redis, retry_for_s=COMMAND_RETRY_FOR_S)
    with closing(Namespaces(client, RegionKeys(settings.region))) as all_:
        if LIVE not in all_.registered():
            return Changes(before, after, unknown=unknown or "no namespace live to compare with")
        return Changes(before, after, LIVE, _facets(all_.compare(LIVE, settings.namespace)), unknown)


def foreseen_changes(before: Tiers | None, foreseen: ForeseenCounters) -> Changes:
    """Return the signals of a dry run as those after it; signals that stay as they are, do not count."""
    return Changes(before, by_facet(foreseen.signals), unknown="" if before is not None else "the signals before")


def _facets(found: Difference) -> dict[str, FacetChange]:
    return {
        name: FacetChange(facet.same, facet.both - facet.same, facet.only_second, facet.only_first)
        for name, facet in sorted(found.facets.items())
    }
