"""Input format of a run, with its schema registry, and the parser of its records."""

from threading import Event

from connectors.schema_registry.address import RegistryAddress
from connectors.schema_registry.client import RegistryClient, RegistryFailedError, RegistryRefusedError
from connectors.schema_registry.schemas import RegistrySchemas
from dataflows.settings import Settings
from operators.decoders import Format, input_format
from operators.parse import Parser
from state.catalogue.numbered import NumberedCatalogue
from state.counters import EventCounters
from state.errors import SourceError
from tacit.errors import ConfigurationError


def format_of(settings: Settings, stop: Event | None = None) -> Format:
    """Return the input format of the settings. A registry that is down is no error: records wait for it.

    Args:
        settings: settings of the run.
        stop: ends the wait for a registry that is down.

    Raises:
        ConfigurationError: a package is missing, or the registry refuses the access.
    """
    address = settings.registry
    if address is None:
        return input_format(settings.format)
    schemas = RegistrySchemas(address, stop)
    found = input_format(settings.format, schemas)
    try:
        schemas.check()
    except RegistryRefusedError as error:
        raise _refused(address, error) from None
    return found


def parser_of(
    settings: Settings, catalogue: NumberedCatalogue, counters: EventCounters, stop: Event | None = None
) -> Parser:
    """Return the parser of a run. Arguments and errors as in `format_of`; `counters` gets the rejects."""
    return Parser(
        catalogue=catalogue,
        region=settings.region,
        secret=settings.secret_bytes,
        shards=settings.shards,
        counters=counters,
        input_format=format_of(settings, stop),
    )


def check_registry(address: RegistryAddress) -> None:
    """Check that a schema registry answers, and gives access.

    Raises:
        SourceError: it does not answer.
        ConfigurationError: it refuses the access.
    """
    try:
        RegistryClient(address).check()
    except RegistryRefusedError as error:
        raise _refused(address, error) from None
    except RegistryFailedError as error:
        raise SourceError(f"the schema registry at {address} cannot be used: {error}; check the address") from None


def _refused(address: RegistryAddress, error: RegistryRefusedError) -> ConfigurationError:
    return ConfigurationError(
        [f"schema_registry: {address} cannot be used: {error}; correct the user, the password or the certificates"]
    )
