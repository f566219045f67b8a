"""Rows about the stream: whether it is well, what comes in, what Redis takes, checkpoints and processes."""

from tools.dashboards.panel import (
    BYTES,
    BYTES_PER_S,
    COUNT,
    PER_S,
    SECONDS,
    SHARE,
    YES_NO,
    Panel,
    Row,
    quantiles,
    single,
)

OVERVIEW = Row(
    "Is it well?",
    [
        single("Ready", YES_NO, "Every run reads, writes and has its namespace.", "min(tacit_ready)"),
        single(
            "Time to catch up",
            SECONDS,
            "The lag at the present rate of records.",
            "sum(tacit_source_lag_records) / clamp_min(sum(rate(tacit_records_total[$__rate_interval])), 1)",
        ),
        single(
            'Time to effect of a "no"',
            SECONDS,
            "From a consent, a pin or a forget to its gate in Redis: 99 % are faster.",
            "max(tacit:control_effect_seconds:p99)",
        ),
        single(
            "Freshness",
            SECONDS,
            "From an event to its signal in Redis: 99 % are faster.",
            "max(tacit:freshness_seconds:p99)",
        ),
        single(
            "Reads that succeed",
            SHARE,
            "Share of the reads of assistants that Redis answers.",
            "min(tacit:reads:availability)",
        ),
        single(
            "Control events lost in a day",
            COUNT,
            "Consents, pins and forgets that could not be carried out.",
            "sum(increase(tacit_control_rejects_total[1d]))",
        ),
    ],
)

SOURCE = Row(
    "Source",
    [
        Panel(
            "Records",
            PER_S,
            "Records that the processes read.",
            {"sum by (instance) (rate(tacit_records_total[$__rate_interval]))": "{{instance}}"},
        ),
        Panel(
            "Bytes",
            BYTES_PER_S,
            "Bytes of the records that the processes read.",
            {"sum by (instance) (rate(tacit_record_bytes_total[$__rate_interval]))": "{{instance}}"},
        ),
        Panel(
            "Lag",
            COUNT,
            "Records between the position of the run and the end of a partition.",
            {"tacit_source_lag_records": "{{partition}}"},
        ),
        Panel(
            "Lag in bytes",
            BYTES,
            "Bytes of an event log between the position of the run and the end.",
            {"tacit_source_lag_bytes": "{{log}}"},
        ),
        Panel(
            "Time without progress",
            SECONDS,
            "Time since the source passed records on, or had no new ones.",
            {"tacit_progress_age_seconds": "{{instance}}"},
        ),
        Panel(
            "Records behind a transaction",
            COUNT,
            "The part of the lag that waits for an open transaction of a producer.",
            {"sum by (partition) (tacit_source_held_records)": "{{partition}}"},
        ),
        Panel(
            "Age of the oldest transaction",
            SECONDS,
            "Age of the oldest open transaction that holds records back.",
            {"max by (instance) (tacit_source_transaction_age_seconds)": "{{instance}}"},
        ),
        Panel(
            "Records lost by a topic",
            COUNT,
            "Records in gaps of a topic, which a run with --on-gap continue passed.",
            {"sum by (reason) (tacit_source_gap_records_total)": "{{reason}}"},
        ),
        Panel(
            "Not ready",
            COUNT,
            "Reasons for which a run is not ready, as in /readyz.",
            {"max by (reason) (tacit_unready)": "{{reason}}"},
        ),
    ],
)

EVENTS = Row(
    "Events",
    [
        Panel(
            "Outcomes",
            PER_S,
            "Events that are no rejects, by outcome.",
            {"sum by (outcome) (rate(tacit_events_total[$__rate_interval]))": "{{outcome}}"},
        ),
        Panel(
            "Rejects",
            PER_S,
            "Rejected records by reason; tacit rejects list names them.",
            {"sum by (reason) (rate(tacit_rejects_total[$__rate_interval])) > 0": "{{reason}}"},
        ),
        Panel(
            "Control events that cannot be carried out",
            COUNT,
            "Consents, pins and forgets in an hour that have no effect, by reason.",
            {"sum by (reason) (increase(tacit_control_rejects_total[1h]))": "{{reason}}"},
        ),
        Panel(
            "Control events with a broken member",
            COUNT,
            'Control events in an hour that were carried out as a "no" despite a broken member.',
            {"sum by (kind, field) (increase(tacit_control_repaired_total[1h]))": "{{kind}} {{field}}"},
        ),
        Panel("Users", COUNT, "Users with state, by process.", {"tacit_users": "{{instance}}"}),
    ],
)

REDIS = Row(
    "Redis",
    [
        Panel(
            "Fields of signals",
            PER_S,
            "Fields written to Redis, by result; unwritable ones need a look.",
            {"sum by (result) (rate(tacit_signals_total[$__rate_interval]))": "{{result}}"},
        ),
        Panel(
            "Gates and repeated commands",
            PER_S,
            "Gates of control events, and commands and announced changes that Redis did not take at once.",
            {
                "sum(rate(tacit_gates_total[$__rate_interval]))": "gates",
                "sum(rate(tacit_redis_retries_total[$__rate_interval]))": "repeated commands",
                "sum(rate(tacit_changes_unannounced_total[$__rate_interval]))": "changes not announced",
            },
        ),
        Panel(
            "Freshness of signals",
            SECONDS,
            "From an event's time to its signal in Redis.",
            quantiles("tacit_freshness_seconds", 0.9),
        ),
        Panel(
            'Effect of a "no"',
            SECONDS,
            "From the time of a consent, a pin or a forget to its gate in Redis.",
            quantiles("tacit_control_effect_seconds", 0.9),
        ),
        Panel(
            "Reads of assistants",
            PER_S,
            "Reads of users' signals by status; unavailable ones get defaults.",
            {"sum by (status) (rate(tacit_reads_total[$__rate_interval]))": "{{status}}"},
        ),
    ],
)

CHECKPOINTS = Row(
    "Checkpoints",
    [
        Panel(
            "Age",
            SECONDS,
            "Time since the last checkpoint; a process without changes makes none.",
            {"tacit_checkpoint_age_seconds": "{{instance}}"},
        ),
        Panel(
            "Duration",
            SECONDS,
            "Time that a checkpoint of all changed shards takes.",
            quantiles("tacit_checkpoint_seconds"),
        ),
        Panel(
            "Stall",
            SECONDS,
            "Time for which a checkpoint stops the stream.",
            quantiles("tacit_commit_stall_seconds"),
        ),
        Panel(
            "Size",
            BYTES,
            "Size of the newest checkpoints of all shards, by process.",
            {"tacit_checkpoint_bytes": "{{instance}}"},
        ),
    ],
)

OBJECT_STORAGE = Row(
    "Object storage",
    [
        Panel(
            "Age of the newest cut",
            SECONDS,
            "Age of the state in the newest complete cut: what a lost disk would repeat.",
            {"tacit_cut_age_seconds": "{{instance}}"},
        ),
        Panel(
            "Duration of a cut",
            SECONDS,
            "From the copy of the state to the manifest.",
            quantiles("tacit_cut_seconds"),
        ),
        Panel(
            "Cuts",
            COUNT,
            "Complete cuts, failed attempts, restarts of the process that uploads, and files deleted that no cut named "
            "any more, in an hour.",
            {
                "sum(increase(tacit_cuts_total[1h]))": "complete",
                "sum(increase(tacit_cut_failures_total[1h]))": "failed",
                "sum(increase(tacit_cut_process_restarts_total[1h]))": "restarts",
                "sum(increase(tacit_cut_deleted_files_total[1h]))": "deleted files",
            },
        ),
        Panel(
            "Size of a cut",
            BYTES,
            "Size of the newest complete cut, and the bytes that were sent in an hour.",
            {"tacit_cut_bytes": "newest cut", "sum(increase(tacit_cut_sent_bytes_total[1h]))": "sent"},
        ),
    ],
)

PROCESSES = Row(
    "Processes",
    [
        Panel(
            "Memory",
            BYTES,
            "Resident memory of each process.",
            {"process_resident_memory_bytes": "{{instance}}"},
        ),
        Panel(
            "CPU",
            SHARE,
            "CPU time of each process; 100 % is one core.",
            {"rate(process_cpu_seconds_total[$__rate_interval])": "{{instance}}"},
        ),
        Panel(
            "Open files",
            COUNT,
            "Open files and connections of each process, against their limit.",
            {"process_open_fds": "{{instance}}", "min(process_max_fds)": "limit"},
        ),
        Panel(
            "Compiled core",
            YES_NO,
            "No: the core runs as plain Python, with many times the CPU.",
            {"tacit_core_compiled": "{{instance}}"},
        ),
    ],
)

ROWS = (OVERVIEW, SOURCE, EVENTS, REDIS, CHECKPOINTS, OBJECT_STORAGE, PROCESSES)
