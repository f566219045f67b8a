"""Settings of the source: format of its records, first position, gaps and late events."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from connectors.files.window import MAX_WINDOW_MIB, WINDOW_MIB
from connectors.kafka.address import Start
from connectors.schema_registry.address import RegistryAddress
from dataflows.setting import Setting
from dataflows.setting_checks import configuration_problem, pattern_problem

SOURCE = "Source"


@dataclass(frozen=True, kw_only=True)
class SourceSettings:
    """Settings of a source of any kind."""

    format: Annotated[
        Literal["json", "avro", "protobuf"],
        Setting(SOURCE, "json|avro|protobuf", "Input format; avro and protobuf need --schema-registry."),
    ] = "json"
    schema_registry: Annotated[
        str | None,
        Setting(
            SOURCE,
            "URL",
            "Schema registry with the API of Confluent.",
            "none",
            check=lambda text: configuration_problem(RegistryAddress.parse, text),
        ),
    ] = None
    schema_registry_user: Annotated[
        str | None, Setting(SOURCE, "NAME", "User, or API key, of the schema registry.", "none")
    ] = None
    schema_registry_password: Annotated[
        str | None,
        Setting(SOURCE, "TEXT", "Password of the user, or API secret.", "none", is_flag=False, is_secret=True),
    ] = field(default=None, repr=False)
    schema_registry_ca: Annotated[
        Path | None,
        Setting(SOURCE, "FILE", "PEM certificates that sign the schema registry's.", "those of the system"),
    ] = None
    start: Annotated[
        str,
        Setting(
            SOURCE,
            "earliest|latest|TIME|offset:N",
            "Position in a topic at which a run without a checkpoint starts; TIME has a zone, or is a date in UTC.",
            allowed="earliest, latest, a time with its zone, a date, epoch milliseconds, or offset:N",
            check=lambda text: configuration_problem(Start.parse, text),
        ),
    ] = "earliest"
    on_gap: Annotated[
        Literal["stop", "continue"],
        Setting(
            SOURCE,
            "stop|continue",
            "Stop where a topic lost or changed records since the checkpoint, or count them and continue behind them.",
        ),
    ] = "stop"
    group: Annotated[
        str | None,
        Setting(
            SOURCE,
            "NAME",
            "Consumer group that gets the offsets of a live run's checkpoints, for tools that show the lag.",
            "none",
            check=lambda text: pattern_problem(r"[ -~]{1,249}", text),
        ),
    ] = None
    zstd_window_mib: Annotated[
        int,
        Setting(SOURCE, "MIB", "Largest window of a zstd file, which is held in memory.", least=1, most=MAX_WINDOW_MIB),
    ] = WINDOW_MIB
    lateness: Annotated[
        float,
        Setting(
            SOURCE,
            "HOURS",
            "Age at which an event is late, relative to its user's newest event.",
            above=0,
            most=24 * 90,
        ),
    ] = 24

    @property
    def registry(self) -> RegistryAddress | None:
        """Address and access of the schema registry."""
        if self.schema_registry is None:
            return None
        user, password = self.schema_registry_user or "", self.schema_registry_password or ""
        return RegistryAddress.parse(self.schema_registry, user, password, self.schema_registry_ca)


def registry_problems(settings: SourceSettings) -> list[str]:
    """Return a problem per setting of the registry that is missing, or that has no effect."""
    if settings.format != "json" and settings.schema_registry is None:
        return [f"schema_registry: is required for {settings.format}; name the registry by --schema-registry URL"]
    access = ("schema_registry_user", "schema_registry_password", "schema_registry_ca")
    without = [name for name in access if getattr(settings, name) is not None and settings.schema_registry is None]
    if settings.format == "json" and settings.schema_registry is not None:
        without = ["schema_registry"]
    return [f"{name}: applies to the formats avro and protobuf only; set format, or remove it" for name in without]
