"""History of measures in memory: at most an hour, from samples of all processes."""

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import NamedTuple

from prometheus_client.samples import Sample

from tacit_service.console.measures import Measure, Reading, Values

EVERY_S = 5
KEPT_S = 3600
WINDOW_S = 60
"""Time over which a rate or a quantile is taken."""
MAX_GROUPS = 64
"""Most values of a label that a measure keeps apart."""
MAX_POINTS = 240
"""Most times of a reading."""

Key = tuple[int, str]
"""Number of a measure, and the value of its label."""


class _Point(NamedTuple):
    """State of all measures at one time."""

    at_s: float
    gauges: Mapping[Key, float]
    totals: Mapping[Key, float]
    """Increase of counters since the first point."""
    processes: frozenset[str]
    """Processes that answered."""


class History:
    """History of some measures. One thread adds points, others read.

    Args:
        measures: the measures.
    """

    def __init__(self, measures: Sequence[Measure]) -> None:
        self._measures = measures
        self._by_sample: dict[str, list[tuple[int, Measure]]] = defaultdict(list)
        for number, measure in enumerate(measures):
            self._by_sample[measure.sample].append((number, measure))
        self._points: deque[_Point] = deque(maxlen=KEPT_S // EVERY_S)
        self._counts: dict[str, dict[Key, float]] = {}
        self._totals: dict[Key, float] = {}
        self._groups: dict[int, set[str]] = defaultdict(set)
        self._served_by: dict[int, set[str]] = defaultdict(set)
        """Measure → processes that have served it; a counter that one of them did not serve earlier was zero."""

    @property
    def samples(self) -> tuple[str, ...]:
        """Names of the samples that the measures need."""
        return tuple(self._by_sample)

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self._points)

    def add(self, at_s: float, processes: Mapping[str, Iterable[Sample]]) -> None:
        """Add a point.

        Args:
            at_s: Unix time.
            processes: name of each process that answered → its samples.
        """
        gauges: dict[Key, float] = {}
        for name, samples in processes.items():
            counts: dict[Key, float] = {}
            for sample in samples:
                for number, measure in self._by_sample.get(sample.name, ()):
                    key = self._key(number, measure, sample.labels)
                    if key is None:
                        continue
                    self._served_by[number].add(name)
                    if measure.kind == "gauge":
                        gauges[key] = _combined(measure, gauges.get(key), sample.value)
                    else:
                        counts[key] = counts.get(key, 0.0) + sample.value
            self._count(name, counts)
        self._points.append(_Point(at_s, gauges, dict(self._totals), frozenset(processes)))

    def _key(self, number: int, measure: Measure, labels: Mapping[str, str]) -> Key | None:
        if any(labels.get(label) != value for label, value in measure.where):
            return None
        group = labels.get(measure.group, "") if measure.group else ""
        groups = self._groups[number]
        if group not in groups:
            if len(groups) >= MAX_GROUPS:
                return None
            groups.add(group)
        return number, group

    def _count(self, process: str, counts: dict[Key, float]) -> None:
        """Add the increases since the last counts of a process; smaller counts are those of a new start."""
        earlier = self._counts.get(process)
        for key, count in counts.items():
            before = count if earlier is None else earlier.get(key, 0.0)
            self._totals[key] = self._totals.get(key, 0.0) + (count - before if count >= before else count)
        self._counts[process] = counts

    def read(self, now_s: float) -> Reading:
        """Return the values of all measures, in the order of the measures.

        Args:
            now_s: Unix time; older points than an hour are left out.
        """
        points = [point for point in tuple(self._points) if point.at_s > now_s - KEPT_S]
        times_s = [point.at_s for point in points]
        stride = -(-len(points) // MAX_POINTS) or 1
        shown = range((len(points) - 1) % stride, len(points), stride) if points else range(0)
        earlier = [bisect_right(times_s, times_s[at] - WINDOW_S) - 1 for at in shown]
        lines = [self._lines(number, measure, points, shown, earlier) for number, measure in enumerate(self._measures)]
        return Reading([round(times_s[at]) for at in shown], lines)

    def _lines(
        self, number: int, measure: Measure, points: Sequence[_Point], shown: Sequence[int], earlier: Sequence[int]
    ) -> dict[str, Values]:
        groups = sorted(self._groups[number])
        if measure.kind == "gauge":
            return {group: [points[at].gauges.get((number, group)) for at in shown] for group in groups}
        served_by = self._served_by[number]
        spans = [_span(served_by, points, before, at) for before, at in zip(earlier, shown, strict=True)]
        if measure.kind == "rate":
            return {group: [_rate(span, (number, group)) for span in spans] for group in groups}
        return {"": [_quantile(span, number, groups, measure.quantile) for span in spans]}


def _combined(measure: Measure, held: float | None, value: float) -> float:
    if held is None:
        return value
    if measure.combine == "sum":
        return held + value
    return max(held, value) if measure.combine == "max" else min(held, value)


_Span = tuple[_Point, _Point] | None
"""Two points of a measure, a window apart if the history is that long."""


def _span(served_by: Set[str], points: Sequence[_Point], before: int, at: int) -> _Span:
    if served_by.isdisjoint(points[at].processes):
        return None
    start = min(max(before, 0), at - 1)
    earlier = [*range(start, -1, -1), *range(start + 1, at)]
    first = next((place for place in earlier if not served_by.isdisjoint(points[place].processes)), None)
    return None if first is None else (points[first], points[at])


def _rate(span: _Span, key: Key) -> float | None:
    if span is None:
        return None
    first, last = span
    return (last.totals.get(key, 0.0) - first.totals.get(key, 0.0)) / (last.at_s - first.at_s)


def _quantile(span: _Span, number: int, groups: Sequence[str], quantile: float) -> float | None:
    if span is None:
        return None
    first, last = span
    counts = sorted(
        (float(bound), last.totals.get((number, bound), 0.0) - first.totals.get((number, bound), 0.0))
        for bound in groups
    )
    return interpolated(counts, quantile)


def interpolated(counts: Sequence[tuple[float, float]], quantile: float) -> float | None:
    """Return a quantile of a histogram, as Prometheus' histogram_quantile does.

    Args:
        counts: upper bound and cumulated count of each bucket, ascending.
        quantile: 0–1.

    >>> interpolated([(1.0, 5.0), (2.0, 10.0), (float("inf"), 10.0)], 0.75), interpolated([(1.0, 0.0)], 0.5)
    (1.5, None)
    """
    total = counts[-1][1] if counts else 0.0
    if total <= 0:
        return None
    rank = quantile * total
    low = below = 0.0
    for bound, count in counts:
        if count >= rank:
            return low if bound == float("inf") else low + (bound - low) * (rank - below) / (count - below or 1.0)
        low, below = bound, count
    return low
