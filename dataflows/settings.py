"""Settings of a worker: flags over variables (`TACIT_…`) over a TOML file over defaults.

The class `Settings` is the one table of settings: the flags of the commands, their help and the reference derive from
it. A new setting is a field there, and its use.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

from connectors.kafka.address import Start, TopicAddress
from dataflows.setting import InvalidSettingError, Setting, convert
from dataflows.setting_sources import read_settings
from state.storage.erasure import ERASURE_CHECKPOINTS
from state.storage.shards import CACHED_USERS, MAX_SHARDS
from tacit.contract.activity import DAY_MS
from tacit.contract.catalogue import SHIPPED, Catalogue
from tacit.contract.keys import LIVE, NAMESPACE, REGION
from tacit.contract.lifetimes import SIGNAL_TTL_MS, TOMBSTONE_MS
from tacit.contract.pseudonyms import SECRET_BYTES
from tacit.errors import ConfigurationError

SOURCE, DESTINATION, STATE = "Source", "Destination", "State"
MODEL, RUNNING, OUTPUT = "Model", "Running", "Output"
CONTROL = "Control"
WORKER_GROUPS = (SOURCE, DESTINATION, STATE, MODEL, RUNNING, OUTPUT)
"""Groups of the settings of a run."""
GROUPS = (SOURCE, DESTINATION, STATE, MODEL, CONTROL, RUNNING, OUTPUT)
"""Groups of settings, in the order of help."""

STAND_IN_SECRET = "embedded-demo-secret"  # noqa: S105  # protects nothing
"""Key of pseudonyms that no other process reads."""

_MAX_OPERATOR = 80

_METRICS = re.compile(r"off|(?:[^:\s]+|\[[0-9a-fA-F:]+\]):(\d{1,5})")


def _redis_problem(url: str) -> str | None:
    from connectors.redis.client import connection_pool  # half of the start-up time of a command without Redis

    try:
        connection_pool(url, timeout_s=1)  # does not connect
    except ConfigurationError:
        return (
            "must be redis://HOST:PORT/DATABASE, rediss://HOST:PORT/DATABASE for TLS, or unix://PATH, "
            "without options that change replies, such as protocol"
        )
    return None


def _secret_problem(secret: str) -> str | None:
    if len(secret.encode()) in SECRET_BYTES:
        return None
    return (
        f"set TACIT_SECRET to a secret of {SECRET_BYTES.start} to {SECRET_BYTES.stop - 1} bytes that workers and "
        "readers share (openssl rand -hex 32); only --embedded needs none"
    )


def _pattern_problem(pattern: str, text: str) -> str | None:
    return None if re.fullmatch(pattern, text) else f"must match {pattern}"


def _configuration_problem(parse: Any, value: object) -> str | None:
    try:
        parse(value)
    except ConfigurationError as error:
        return "; ".join(error.problems)
    return None


def _source_problem(text: str) -> str | None:
    if text.startswith("kafka:"):
        return _configuration_problem(TopicAddress.parse, text)
    return None if text.endswith(".jsonl") else "must be kafka://HOST:PORT/TOPIC or the path of a .jsonl file"


def _operator_problem(text: str) -> str | None:
    return None if 0 < len(text) <= _MAX_OPERATOR and text.isprintable() else "must be a name on one line"


def _rejects_problem(text: str) -> str | None:
    return _configuration_problem(TopicAddress.parse, text) if text.startswith("kafka:") else None


EXACT = "exact"
"""Population model without noise and contributor rule: `tacit evaluate` measures the price of privacy with it."""


def _population_problem(text: str) -> str | None:
    if text in {"learn", "none", EXACT} or (text.isascii() and text.isdecimal() and int(text)):
        return None
    return "must be learn, none or the number of a population version"


def _challenger_problem(paths: tuple[str, ...]) -> str | None:
    from state.learning.river_model import path_problem

    return next(filter(None, map(path_problem, paths)), None)


def _models_problem(models: Mapping[str, Mapping[str, Any]]) -> str | None:
    return _challenger_problem(tuple(models))


def _metrics_problem(text: str) -> str | None:
    parts = _METRICS.fullmatch(text)
    return (
        None if parts and 0 < int(parts[1] or 1) < 65_536 else "must be HOST:PORT with a port from 1 to 65535, or off"
    )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings, converted and checked; the constructor reads neither variables nor a file.

    Raises:
        ConfigurationError: a problem per wrong setting, with its name and never its value.
    """

    format: Annotated[Literal["json"], Setting(SOURCE, "json", "Input format.")] = "json"
    start: Annotated[
        str,
        Setting(
            SOURCE,
            "earliest|latest|EPOCH_MS|offset:N",
            "Position in a topic at which a run without a checkpoint starts.",
            check=lambda text: _configuration_problem(Start.parse, text),
        ),
    ] = "earliest"
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
    redis: Annotated[str, Setting(DESTINATION, "URL", "Redis that stores signals.", check=_redis_problem)] = field(
        default="redis://localhost:6379/0", repr=False
    )
    embedded: Annotated[
        bool, Setting(DESTINATION, "", "Start a temporary Redis for the command, in place of --redis.")
    ] = False
    region: Annotated[
        str, Setting(DESTINATION, "NAME", "Region of the users.", check=lambda text: _pattern_problem(REGION, text))
    ] = "eu"
    namespace: Annotated[
        str,
        Setting(DESTINATION, "NAME", "Namespace of the signals.", check=lambda text: _pattern_problem(NAMESPACE, text)),
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
        Setting(
            DESTINATION, "FILE|kafka://HOST:PORT/TOPIC", "Destination of rejected records.", check=_rejects_problem
        ),
    ] = "tacit-rejects.jsonl"
    control_rejects: Annotated[
        str,
        Setting(
            DESTINATION,
            "FILE|kafka://HOST:PORT/TOPIC",
            "Destination of control events (consent, pin, forget) that cannot be carried out.",
            "next to --rejects: the same topic, or FILE with .control before the ending",
            check=_rejects_problem,
        ),
    ] = ""
    secret: Annotated[
        str, Setting(DESTINATION, "TEXT", "Key of the pseudonyms.", "required", check=_secret_problem, is_flag=False)
    ] = field(default="", repr=False)
    state: Annotated[
        Path | None, Setting(STATE, "DIR", "State folder, which lets a later run resume.", "state is not kept")
    ] = None
    shards: Annotated[
        int, Setting(STATE, "N", "Number of shards, fixed for a state folder.", least=1, most=MAX_SHARDS)
    ] = 16
    checkpoint_every: Annotated[float, Setting(STATE, "SECONDS", "Time between checkpoints.", least=1, most=3600)] = 10
    erase_within: Annotated[
        float,
        Setting(STATE, "SECONDS", "Time until no file has the state of a user who forgot or withdrew.", least=5),
    ] = 900
    cache: Annotated[int, Setting(STATE, "USERS", "Number of users kept in memory; others are on disk.", least=1)] = (
        CACHED_USERS
    )
    catalogue: Annotated[
        Path,
        Setting(
            MODEL,
            "FILE",
            "Catalogue (TOML).",
            "the catalogue of the package",
            check=lambda path: _configuration_problem(Catalogue.load, path),
        ),
    ] = SHIPPED
    population: Annotated[
        str,
        Setting(
            MODEL, "learn|none|N", "Population model: train it, use none, or keep version N.", check=_population_problem
        ),
    ] = "learn"
    challenger: Annotated[
        tuple[str, ...],
        Setting(
            MODEL,
            "CLASS",
            "Classifier of River that learns next to the deployed model and decides nothing; may be repeated.",
            "none",
            check=_challenger_problem,
            is_list=True,
        ),
    ] = ()
    challenger_share: Annotated[
        float, Setting(MODEL, "SHARE", "Share of the users whose feedback challengers get.", above=0, most=1)
    ] = 0.1
    models: Annotated[
        Mapping[str, Mapping[str, Any]] | None,
        Setting(
            MODEL,
            "TABLE",
            'Parameters of River\'s models, in tables such as [models."river.linear_model.LogisticRegression"].',
            "River's defaults",
            check=_models_problem,
            is_table=True,
            is_flag=False,
        ),
    ] = None
    source: Annotated[
        str | None,
        Setting(
            CONTROL,
            "FILE|kafka://HOST:PORT/TOPIC",
            "Source of the workers, which takes control events: a topic or a .jsonl file.",
            "required",
            check=_source_problem,
        ),
    ] = None
    receipts: Annotated[
        str | None,
        Setting(
            CONTROL, "FILE|kafka://HOST:PORT/TOPIC", "Destination of receipts.", "not kept", check=_rejects_problem
        ),
    ] = None
    audit: Annotated[
        str | None,
        Setting(
            CONTROL,
            "FILE|kafka://HOST:PORT/TOPIC",
            "Audit of operators' actions; a topic has one partition.",
            "actions leave no line",
            check=_rejects_problem,
        ),
    ] = None
    operator: Annotated[
        str | None,
        Setting(CONTROL, "NAME", "Operator in the audit.", "the user of the system", check=_operator_problem),
    ] = None
    processes: Annotated[int, Setting(RUNNING, "N", "Number of processes.", least=1, most=64)] = 1
    metrics: Annotated[
        str | None,
        Setting(
            RUNNING,
            "HOST:PORT|off",
            "Address of /metrics and /healthz; further processes use the next ports.",
            "127.0.0.1:9464 for run, otherwise off",
            check=_metrics_problem,
        ),
    ] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None,
        Setting(OUTPUT, "LEVEL", "Lowest level that is logged.", "info for run, otherwise warning"),
    ] = None
    given: frozenset[str] = frozenset()
    """Names of the settings that have a value from a flag, a variable or the file."""

    def __post_init__(self) -> None:
        problems = [problem for name in descriptions() if (problem := self._convert(name))]
        if self.embedded is True and not self.secret:
            object.__setattr__(self, "secret", STAND_IN_SECRET)
        if not self.secret:
            problems.append(f"secret: {_secret_problem('')}")
        if not problems and self.erase_within < ERASURE_CHECKPOINTS * self.checkpoint_every:
            problems.append(
                f"erase_within: {self.erase_within:g} is less than {ERASURE_CHECKPOINTS} times checkpoint_every, which "
                f"an erasure needs; use {ERASURE_CHECKPOINTS * self.checkpoint_every:g} or more"
            )
        if self.ttl is None and self.namespace == LIVE and self.embedded is not True:
            problems.append("ttl: none needs --embedded or another namespace than live; use a number of days")
        if self.challenger and self.population != "learn":
            problems.append("challenger: needs --population learn, as only that training has examples; use learn")
        if problems:
            raise ConfigurationError(problems)

    def _convert(self, name: str) -> str | None:
        value = getattr(self, name)
        default = _defaults()[name]
        if type(value) is type(default) and value == default:
            return None
        try:
            object.__setattr__(self, name, convert(value, _annotations()[name], descriptions()[name]))
        except InvalidSettingError as error:
            return f"{name}: {error}"
        return None

    @property
    def secret_bytes(self) -> bytes:
        """Key of the pseudonyms."""
        return self.secret.encode()

    @property
    def population_version(self) -> int | None:
        """Number of the population version to keep, if one is set."""
        return int(self.population) if self.population.isdecimal() else None

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


@cache
def descriptions() -> Mapping[str, Setting]:
    """Return the description of each setting, by name, in the order of help."""
    hints = get_type_hints(Settings, include_extras=True)
    found = {name: get_args(hint)[1:] for name, hint in hints.items()}
    return {name: extras[0] for name, extras in found.items() if extras and isinstance(extras[0], Setting)}


@cache
def _annotations() -> Mapping[str, Any]:
    return get_type_hints(Settings)


@cache
def _defaults() -> Mapping[str, Any]:
    return {setting.name: setting.default for setting in fields(Settings)}


def default_of(name: str) -> str:
    """Return the default of a setting as text for help; empty for a switch."""
    setting, default = descriptions()[name], _defaults()[name]
    return setting.default or ("" if default is False else str(default))


def load(flags: Mapping[str, Any], config: Path | None = None, *, needs_secret: bool = True) -> Settings:
    """Return the settings; a flag that is None was not given.

    Args:
        flags: values by name of the setting.
        config: TOML file; None: the file that `TACIT_CONFIG` names, or `tacit.toml` if it exists.
        needs_secret: False for a command that makes no pseudonym.

    Raises:
        ConfigurationError: every problem of every source.
    """
    values, problems = read_settings(descriptions(), flags, config)
    given = frozenset(values)
    if not needs_secret:
        values["secret"] = values.get("secret") or STAND_IN_SECRET
    try:
        settings = Settings(**values, given=given)
    except ConfigurationError as error:
        raise ConfigurationError([*problems, *error.problems]) from None
    if problems:
        raise ConfigurationError(problems)
    return settings
