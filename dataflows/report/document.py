"""Document of a replay's report, which `tacit replay --report` writes as JSON. No member identifies a user."""

from typing import Literal

import msgspec

Result = Literal["running", "complete", "stopped", "failed", "killed"]
"""End of a part or of a replay; `killed`: the process ended without a last line, `running` during the part."""

Tiers = dict[str, dict[str, int]]
"""Facet → tier → signals."""


class Machine(msgspec.Struct, frozen=True):
    """Machine of a part; without its name, which may be private."""

    system: str
    cores: int
    memory_bytes: int | None
    python: str
    tacit: str
    compiled: bool
    """True if the core runs compiled."""


class Part(msgspec.Struct):
    """One run of the replay, from its start to its end or interruption."""

    began_ms: int
    seen_ms: int
    """Time of the end, or of the last sign of life."""
    result: Result
    processes: int
    machine: Machine
    wall_s: float = 0.0
    cpu_s: float = 0.0
    """User and system time of all processes."""
    records: int = 0
    """Records that this part read; after a kill, the next part repeats some."""
    signals_applied: int = 0
    signals_stale: int = 0
    signals_gated: int = 0
    gates: int = 0
    unwritable: int = 0
    error: str = ""


class Input(msgspec.Struct, frozen=True):
    """File, or partition of a topic, as far as the replay read it."""

    name: str
    first: int | None
    """First line or offset; None: no record was read."""
    last: int | None
    records_at_most: int
    """Lines or offsets of the range; a topic can have gaps."""
    bytes: int | None = None
    """Bytes on disk; None for a topic."""
    checksum: str | None = None


class Model(msgspec.Struct, frozen=True):
    """Model and settings that decide about signals."""

    catalogue: str
    catalogue_sha256: str
    population: str
    """`learn`, `none`, or the number of a version that was kept."""
    population_version: int
    """Newest version; 0: none."""
    population_sha256: str | None
    """Hash of the version in the state folder."""
    challengers: tuple[str, ...]
    lateness_h: float
    shards: int


class Counts(msgspec.Struct, frozen=True):
    """Counts of records; `read` is the sum of all others."""

    read: int
    outcomes: dict[str, int]
    rejected: int
    control_rejected: int
    """Control events that cannot be carried out."""
    unexplained: int
    """Records on their way at an interruption, which the next part reads again; 0 at an orderly end."""


class Rejected(msgspec.Struct, frozen=True):
    """Rejects of one reason."""

    reason: str
    count: int
    places: list[str]
    """Places of the first ones: `FILE:LINE`, or `TOPIC/PARTITION/OFFSET`."""


class FacetChange(msgspec.Struct, frozen=True):
    """Signals of a facet against another namespace; counts are of users."""

    same: int
    changed: int
    """Another value, tier or source."""
    new: int
    gone: int


class Changes(msgspec.Struct, frozen=True):
    """Signals in the target before and after, and against the namespace `live`."""

    before: Tiers | None = None
    after: Tiers | None = None
    against: str | None = None
    """The other namespace; None: there is none."""
    facets: dict[str, FacetChange] = {}
    unknown: str = ""
    """Reason why something is not known."""


class Report(msgspec.Struct, frozen=True):
    """Report of a whole replay, resumed parts included."""

    schema: int
    made_ms: int
    result: Result
    is_dry: bool
    """True for a dry run: counts of writes are of writes that would have been."""
    region: str
    namespace: str
    inputs: list[Input]
    counts: Counts
    rejects: list[Rejected]
    oldest_event_ms: int | None
    newest_event_ms: int | None
    users: int
    """Users with state at the end."""
    model: Model
    parts: list[Part]
    wall_s: float
    cpu_s: float
    cpu_us_per_record: float | None
    changes: Changes
