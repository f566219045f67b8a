"""Settings of a worker: flags over variables (`TACIT_…`) over a TOML file over defaults.

The class `Settings` is the one table of settings: the flags of the commands, their help and the reference derive from
it. A new setting is a field there, or of the base class of its group, and its use.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

from connectors.kafka.address import TopicAddress
from dataflows.cut_settings import CUTS, CutSettings
from dataflows.destination_settings import DESTINATION, DestinationSettings, secret_problem
from dataflows.host_settings import HOSTS, HostSettings
from dataflows.kafka_settings import KAFKA, KafkaSettings, kafka_cautions, kafka_problems
from dataflows.service_settings import SERVICE, ServiceSettings, service_problems
from dataflows.setting import InvalidSettingError, Setting, convert
from dataflows.setting_checks import configuration_problem, output_problem, tracing_problem
from dataflows.setting_sources import read_settings
from dataflows.source_settings import SOURCE, SourceSettings, registry_problems
from state.storage.erasure import ERASURE_CHECKPOINTS
from state.storage.shards import CACHED_USERS, MAX_SHARDS
from tacit.contract.catalogue import SHIPPED, Catalogue
from tacit.contract.keys import LIVE
from tacit.errors import ConfigurationError

STATE, MODEL, RUNNING, OUTPUT = "State", "Model", "Running", "Output"
CONTROL, REPLAY = "Control", "Replay"
WORKER_GROUPS = (SOURCE, DESTINATION, STATE, MODEL, RUNNING, OUTPUT)
"""Groups of the settings of a run."""
GROUPS = (SOURCE, DESTINATION, STATE, CUTS, MODEL, CONTROL, SERVICE, REPLAY, RUNNING, HOSTS, OUTPUT, KAFKA)
"""Groups of settings, in the order of help."""

STAND_IN_SECRET = "embedded-demo-secret"  # noqa: S105  # protects nothing
"""Key of pseudonyms that no other process reads."""

_MAX_OPERATOR = 80

_METRICS = re.compile(r"off|(?:[^:\s]+|\[[0-9a-fA-F:]+\]):(\d{1,5})")


def _source_problem(text: str) -> str | None:
    if text.startswith("kafka:"):
        return configuration_problem(TopicAddress.parse, text)
    return None if text.endswith(".jsonl") else "must be kafka://HOST:PORT/TOPIC or the path of a .jsonl file"


def _operator_problem(text: str) -> str | None:
    return None if 0 < len(text) <= _MAX_OPERATOR and text.isprintable() else "must be a name on one line"


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
class Settings(CutSettings, HostSettings, DestinationSettings, SourceSettings, ServiceSettings, KafkaSettings):
    """All settings, converted and checked; the constructor reads neither variables nor a file.

    Raises:
        ConfigurationError: a problem per wrong setting, with its name and never its value.
    """

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
            check=lambda path: configuration_problem(Catalogue.load, path),
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
        Setting(CONTROL, "FILE|kafka://HOST:PORT/TOPIC", "Destination of receipts.", "not kept", check=output_problem),
    ] = None
    audit: Annotated[
        str | None,
        Setting(
            CONTROL,
            "FILE|kafka://HOST:PORT/TOPIC",
            "Audit of operators' actions; a topic has one partition.",
            "actions leave no line",
            check=output_problem,
        ),
    ] = None
    operator: Annotated[
        str | None,
        Setting(CONTROL, "NAME", "Operator in the audit.", "the user of the system", check=_operator_problem),
    ] = None
    start_within: Annotated[
        float | None,
        Setting(
            RUNNING,
            "SECONDS|none",
            "Time for which the start of a run waits for Redis and Kafka; none: without a limit.",
            least=0,
            none="none",
        ),
    ] = 0
    rate: Annotated[
        float | None,
        Setting(
            REPLAY, "N", "Records per second that all processes together read at most.", "no limit", above=0, most=1e7
        ),
    ] = None
    processes: Annotated[int, Setting(RUNNING, "N", "Number of processes.", least=1, most=64)] = 1
    metrics: Annotated[
        str | None,
        Setting(
            RUNNING,
            "HOST:PORT|off",
            "Address of /metrics, /livez and /readyz; further processes use the next ports.",
            "127.0.0.1:9464 for run, otherwise off",
            check=_metrics_problem,
        ),
    ] = None
    tracing: Annotated[
        str | None,
        Setting(
            OUTPUT,
            "URL",
            "Collector of OpenTelemetry (OTLP over HTTP) that gets the spans of events whose producer sampled them.",
            "no spans",
            check=tracing_problem,
        ),
    ] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None,
        Setting(OUTPUT, "LEVEL", "Lowest level that is logged.", "info for run, otherwise warning"),
    ] = None
    log_json: Annotated[
        bool, Setting(OUTPUT, "", "Print logs and progress as JSON lines on stderr, also on a terminal.")
    ] = False
    log_file: Annotated[
        Path | None,
        Setting(OUTPUT, "FILE", "File of the logs as JSON lines; SIGHUP makes a renamed file again.", "stderr"),
    ] = None
    given: frozenset[str] = frozenset()
    """Names of the settings that have a value from a flag, a variable or the file."""
    cautions: tuple[str, ...] = ()
    """Risks of these settings that an operator should know."""

    def __post_init__(self) -> None:
        problems = [problem for name in descriptions() if (problem := self._convert(name))]
        if self.embedded is True and not self.secret:
            object.__setattr__(self, "secret", STAND_IN_SECRET)
        if not self.secret:
            problems.append(f"secret: {secret_problem('')}")
        if not problems and self.erase_within < ERASURE_CHECKPOINTS * self.checkpoint_every:
            problems.append(
                f"erase_within: {self.erase_within:g} is less than {ERASURE_CHECKPOINTS} times checkpoint_every, which "
                f"an erasure needs; use {ERASURE_CHECKPOINTS * self.checkpoint_every:g} or more"
            )
        if self.ttl is None and self.namespace == LIVE and self.embedded is not True:
            problems.append("ttl: none needs --embedded or another namespace than live; use a number of days")
        if self.challenger and self.population != "learn":
            problems.append("challenger: needs --population learn, as only that training has examples; use learn")
        if not problems:
            problems = list(kafka_problems(self))
        problems += registry_problems(self)
        problems += service_problems(self)
        if problems:
            raise ConfigurationError(problems)
        object.__setattr__(self, "cautions", tuple(dict.fromkeys((*self.cautions, *kafka_cautions(self)))))

    def _convert(self, name: str) -> str | None:
        value = getattr(self, name)
        default = _defaults()[name]
        if type(value) is type(default) and value == default:
            return None
        try:
            object.__setattr__(self, name, convert(value, _annotations()[name], descriptions()[name]))
        except InvalidSettingError as error:
            return f"{descriptions()[name].shown(name)}: {error}"
        return None

    @property
    def workers(self) -> int:
        """Number of processes on all hosts."""
        return self.processes * max(1, len(self.host_addresses))

    @property
    def population_version(self) -> int | None:
        """Number of the population version to keep, if one is set."""
        return int(self.population) if self.population.isdecimal() else None

    def topic(self, text: str) -> TopicAddress:
        """Return the address of a topic, with the options of the Kafka client.

        Raises:
            ConfigurationError: the text is no `kafka://HOST:PORT/TOPIC`.
        """
        return TopicAddress.parse(text, self.kafka)


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
    values, problems, cautions = read_settings(descriptions(), flags, config)
    given = frozenset(values)
    if not needs_secret:
        values["secret"] = values.get("secret") or STAND_IN_SECRET
    try:
        settings = Settings(**values, given=given, cautions=tuple(cautions))
    except ConfigurationError as error:
        raise ConfigurationError([*problems, *error.problems]) from None
    if problems:
        raise ConfigurationError(problems)
    return settings
