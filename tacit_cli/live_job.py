"""Job of a live run from the settings of a command."""

from connectors.kafka.address import TopicAddress
from dataflows.job import Job, parse_source
from dataflows.observability.logs import configure
from dataflows.outputs import refuse_outputs_in
from dataflows.settings import Settings
from tacit.errors import ConfigurationError


def live_job(settings: Settings, source: str, *, adopts: bool = False) -> Job:
    """Return the job, with the logs set up.

    Raises:
        ConfigurationError: the source is no topic, or an output is the source.
    """
    topic = parse_source([source], settings.kafka)
    if not isinstance(topic, TopicAddress):
        raise ConfigurationError(["source: run needs kafka://HOST:PORT/TOPIC; use tacit replay for files"])
    job = Job(settings, topic, bounded=False, adopts=adopts)
    refuse_outputs_in([source], settings)
    configure(job.log_level, as_json=settings.log_json, file=settings.log_file)
    return job
