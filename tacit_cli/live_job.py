"""Job of a live run from the settings of a command."""

from dataflows.event_log import require_log
from dataflows.job import Job, parse_source
from dataflows.observability.logs import configure
from dataflows.outputs import refuse_outputs_in
from dataflows.settings import Settings


def live_job(settings: Settings, source: str, *, adopts: bool = False) -> Job:
    """Return the job, with the logs set up.

    Raises:
        ConfigurationError: the source is no topic and no log, a setting does not fit it, or an output is the source.
    """
    job = Job(settings, parse_source([source], settings.kafka), bounded=False, adopts=adopts)
    if not job.topics:
        require_log(job.files, settings)
    refuse_outputs_in([source], settings)
    configure(job.log_level, as_json=settings.log_json, file=settings.log_file)
    return job
