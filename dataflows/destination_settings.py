"""Settings of the destinations: Redis, pseudonyms and lifetimes of its keys, and rejects."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from dataflows.setting import Setting
from dataflows.setting_checks import output_problem, pattern_problem
from tacit.contract.activity import DAY_MS
from tacit.contract.keys import LIVE, NAMESPACE, REGION
from tacit.contract.lifetimes import SIGNAL_TTL_MS, TOMBSTONE_MS
from tacit.contract.pseudonyms import SECRET_BYTES
from tacit.errors import ConfigurationError

DESTINATION = "Destination"


def _redis_problem(url: str) -> str | None:
    from connectors.redis.client import connection_pool  # half of the start-up time of a command without Redis

    try:
        connection_pool(url, timeout_s=1)  # does not connect
    except ConfigurationError:
        return (
            "must be redis://HOST:PORT/DATABASE, rediss://HOST:PORT/DATABASE for TLS, or unix://PATH, where DATABASE "
            "is a number (0 if it is left out), without options that change replies, such as protocol"
        )
    return None


def secret_problem(secret: str) -> str | None:
    """Check the length of a secret."""
    if len(secret.encode()) in SECRET_BYTES:
        return None
    return (
        f"set TACIT_SECRET to a secret of {SECRET_BYTES.start} to {SECRET_BYTES.stop - 1} bytes that workers and "
        "readers share (openssl rand -hex 32); only --embedded needs none"
    )


@dataclass(frozen=True, kw_only=True)
class DestinationSettings:
    """Settings of signals and rejects."""

    redis: Annotated[
        str, Setting(DESTINATION, "URL", "Redis that stores signals.", check=_redis_problem, is_secret=True)
    ] = field(default="redis://localhost:6379/0", repr=False)
    embedded: Annotated[
        bool, Setting(DESTINATION, "", "Start a temporary Redis for the command, in place of --redis.")
    ] = False
    region: Annotated[
        str, Setting(DESTINATION, "NAME", "Region of the users.", check=lambda text: pattern_problem(REGION, text))
    ] = "eu"
    namespace: Annotated[
        str,
        Setting(DESTINATION, "NAME", "Namespace of the signals.", check=lambda text: pattern_problem(NAMESPACE, text)),
    ] = LIVE
    ttl: Annotated[
        float | None, Setting(DESTINATION, "DAYS|none", "Time to live of a signal.", above=0, most=3650, none="none")
    ] = SIGNAL_TTL_MS // DAY_MS
    tombstones: Annotated[
        float,
        Setting(
            DESTINATION, "DAYS", "Time for which wipes are remembered; replay no older history.", least=1, most=36500
        ),
    ] = TOMBSTONE_MS // DAY_MS
    rejects: Annotated[
        str,
        Setting(DESTINATION, "FILE|kafka://HOST:PORT/TOPIC", "Destination of rejected records.", check=output_problem),
    ] = "tacit-rejects.jsonl"
    control_rejects: Annotated[
        str,
        Setting(
            DESTINATION,
            "FILE|kafka://HOST:PORT/TOPIC",
            "Destination of control events (consent, pin, forget) that cannot be carried out.",
            "next to --rejects: the same topic, or FILE with .control before the ending",
            check=output_problem,
        ),
    ] = ""
    secret: Annotated[
        str,
        Setting(
            DESTINATION,
            "TEXT",
            "Key of the pseudonyms.",
            "required",
            check=secret_problem,
            is_flag=False,
            is_secret=True,
        ),
    ] = field(default="", repr=False)

    @property
    def secret_bytes(self) -> bytes:
        """Key of the pseudonyms."""
        return self.secret.encode()

    @property
    def control_rejects_to(self) -> str:
        """Destination of control events that cannot be carried out."""
        file = Path(self.rejects)
        if self.control_rejects or self.rejects.startswith("kafka:") or (file.exists() and not file.is_file()):
            return self.control_rejects or self.rejects
        return str(file.with_name(f"{file.stem}.control{file.suffix}"))

    @property
    def ttl_ms(self) -> int | None:
        """Time to live of a signal in milliseconds; None: no limit."""
        return None if self.ttl is None else round(self.ttl * DAY_MS)

    @property
    def tombstones_ms(self) -> int:
        """Time for which wipes are remembered, in milliseconds."""
        return round(self.tombstones * DAY_MS)
