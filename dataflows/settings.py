"""Settings: flags over environment (`TACIT_*`) over a TOML file, checked once, with all problems told at once."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from connectors.kafka.address import Start, TopicAddress
from connectors.redis.client import connection_pool
from state.catalogue.numbered import NumberedCatalogue
from state.catalogue.vocabulary import Vocabulary
from state.storage.shard_stores import CACHED_USERS
from state.storage.shards import MAX_SHARDS
from state.user.rules import Rules
from state.user.windows import DAY_MS, HOUR_MS
from tacit.contract.catalogue import SHIPPED
from tacit.contract.keys import LIVE, NAMESPACE, REGION
from tacit.contract.lifetimes import SIGNAL_TTL_MS
from tacit.contract.pseudonyms import SECRET_BYTES
from tacit.errors import ConfigurationError

CONFIG_VARIABLE = "TACIT_CONFIG"
"""Names the TOML file; without it `tacit.toml` in the working folder is read if there is one."""

_METRICS = re.compile(r"off|(?:[^:\s]+|\[[0-9a-fA-F:]+\]):(\d{1,5})")


def _ttl_days(value: Any) -> Any:
    return None if value in {"none", "None", None} else value


class Settings(BaseSettings):
    """What a worker needs to know. Every field is also a flag, a variable and a key of the file."""

    model_config = SettingsConfigDict(env_prefix="TACIT_", env_ignore_empty=True, extra="forbid", frozen=True)

    redis: str = "redis://localhost:6379/0"
    embedded: bool = False
    """Run a Redis of our own for as long as the command lasts."""
    region: Annotated[str, Field(pattern=f"^{REGION}$")] = "eu"
    namespace: Annotated[str, Field(pattern=f"^{NAMESPACE}$")] = LIVE
    secret: SecretStr = SecretStr("")
    """Key of the pseudonyms, 16 to 64 bytes. From the environment or the file, never a flag."""
    catalogue: Path = SHIPPED
    format: Literal["json"] = "json"
    """Input format: a module in `operators/decoders`."""
    state: Path | None = None
    """Folder that keeps state and positions over restarts; None: nothing is kept."""
    rejects: str = "tacit-rejects.jsonl"
    """File or `kafka://HOST:PORT/TOPIC`."""
    start: str = "earliest"
    processes: Annotated[int, Field(ge=1, le=64)] = 1
    shards: Annotated[int, Field(ge=1, le=MAX_SHARDS)] = 16
    cache: Annotated[int, Field(ge=1)] = CACHED_USERS
    """People that are kept unpacked in memory; everybody else is on disk."""
    checkpoint_every: Annotated[float, Field(ge=1, le=3600)] = 10
    """Seconds between checkpoints."""
    population: str = "learn"
    """`learn` what is believed of everybody, do without (`none`), or keep to a version of it, given by its number."""
    ttl: Annotated[float | None, Field(gt=0, le=3650), BeforeValidator(_ttl_days)] = SIGNAL_TTL_MS // DAY_MS
    """Days that a signal lives after its event; None (written `none`): for ever."""
    lateness: Annotated[float, Field(gt=0, le=24 * 90)] = 24
    """Hours by which an event may be older than the person's newest one."""
    metrics: str | None = None
    """HOST:PORT of /metrics and /healthz of the first process, the others on the ports behind it; or `off`.

    None: 127.0.0.1:9464 for a live run, off for a replay.
    """
    log_level: Literal["debug", "info", "warning", "error"] | None = None
    """None: info for a live run, warning for anything else."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # pydantic-settings passes all five
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put flags first, then the environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, _file())

    @field_validator("redis")
    @classmethod
    def _is_redis(cls, value: str) -> str:
        try:
            connection_pool(value, timeout_s=1).make_connection()  # which does not connect yet
        except (ConfigurationError, TypeError):
            raise ValueError(
                "must read redis://HOST:PORT/DATABASE, rediss:// likewise for TLS, or unix://PATH"
            ) from None  # what they say repeats the URL, which may hold a password
        return value

    @field_validator("secret")
    @classmethod
    def _is_secret(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if not value.get_secret_value() and info.data.get("embedded"):
            return SecretStr("embedded-demo-secret")
        if len(value.get_secret_value().encode()) not in SECRET_BYTES:
            raise ValueError(
                f"set TACIT_SECRET to {SECRET_BYTES.start} to {SECRET_BYTES.stop - 1} bytes that only workers and "
                "readers know (openssl rand -hex 32); only an embedded Redis does without"
            )
        return value

    @field_validator("catalogue")
    @classmethod
    def _is_catalogue(cls, value: Path) -> Path:
        try:
            NumberedCatalogue.load(value)
        except ConfigurationError as error:
            raise ValueError("; ".join(error.problems)) from error
        return value

    @field_validator("rejects", "start")
    @classmethod
    def _is_readable(cls, value: str, info: ValidationInfo) -> str:
        try:
            if info.field_name == "start":
                Start.parse(value)
            elif value.startswith("kafka:"):
                TopicAddress.parse(value)
        except ConfigurationError as error:
            raise ValueError("; ".join(error.problems)) from error
        return value

    @field_validator("population")
    @classmethod
    def _is_population(cls, value: str) -> str:
        if value not in {"learn", "none"} and not (value.isascii() and value.isdecimal() and int(value)):
            raise ValueError("must be learn, none or the number of a version")
        return value

    @field_validator("ttl")
    @classmethod
    def _may_be_endless(cls, value: float | None, info: ValidationInfo) -> float | None:
        if value is None and info.data.get("namespace") == LIVE and not info.data.get("embedded"):
            raise ValueError("none is for an embedded Redis or a namespace other than live; give a number of days")
        return value

    @field_validator("metrics")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        parts = _METRICS.fullmatch(value or "off")
        if parts is None or not 0 < int(parts[1] or 1) < 65_536:
            raise ValueError("must be HOST:PORT with a port from 1 to 65535, or off")
        return value

    @property
    def secret_bytes(self) -> bytes:
        """The key of the pseudonyms."""
        return self.secret.get_secret_value().encode()

    @property
    def population_version(self) -> int | None:
        """The version of the population's belief to keep to, if there is one."""
        return int(self.population) if self.population.isdecimal() else None

    @property
    def ttl_ms(self) -> int | None:
        """A signal's time to live in milliseconds."""
        return None if self.ttl is None else round(self.ttl * DAY_MS)

    def rules(self, vocabulary: Vocabulary | None = None) -> Rules:
        """Return what the state goes by; its numbers come from the vocabulary, if there is one."""
        catalogue = NumberedCatalogue.load(self.catalogue)
        return Rules(
            catalogue.numbered(vocabulary) if vocabulary else catalogue,
            round(self.lateness * HOUR_MS),
            self.ttl_ms,
            teaches=self.population == "learn",
        )


class OwnSettings(Settings):
    """Settings in which neither the environment nor a file has a say."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what is given, and no more."""
        return (init_settings,)


def load(flags: Mapping[str, Any]) -> Settings:
    """Return the settings; flags that are None were not given.

    Raises:
        ConfigurationError: with every problem, each naming its setting and never its value.
    """
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        raise ConfigurationError([_problem(dict(problem)) for problem in error.errors(include_input=False)]) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError([f"{_file()} is no TOML file: {error}"]) from error


def _file() -> Path:
    """Return the file to read if it is there; one that is named has to be."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named and not Path(named).is_file():
        raise ConfigurationError([f"{CONFIG_VARIABLE} names {named}, which is no file: correct it, or unset it"])
    return Path(named or "tacit.toml")


def _problem(problem: dict[str, Any]) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{name}: there is no such setting"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{name}: {message[:1].lower()}{message[1:]}" if name else message
