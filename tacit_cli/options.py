"""The command line's options, each in one place; None means not given: environment, file or default decide."""

from pathlib import Path
from typing import Annotated

import typer

Redis = Annotated[str | None, typer.Option("--redis", metavar="URL", help="Where signals live.")]
Embedded = Annotated[bool | None, typer.Option("--embedded", help="Run a Redis of our own while the command lasts.")]
Region = Annotated[str | None, typer.Option("--region", metavar="NAME", help="The region whose people these are.")]
Catalogue = Annotated[Path | None, typer.Option("--catalogue", metavar="FILE", help="The vocabulary (TOML).")]
Format = Annotated[str | None, typer.Option("--format", metavar="json", help="Input format.")]
State = Annotated[
    Path | None, typer.Option("--state", metavar="DIR", help="Keep state and positions here, to go on from.")
]
StateFolder = Annotated[Path | None, typer.Option("--state", metavar="DIR", help="The state folder to look into.")]
Namespace = Annotated[str | None, typer.Option("--namespace", metavar="NAME", help="The set of signals to write.")]
ReadNamespace = Annotated[
    str | None,
    typer.Option("--namespace", metavar="NAME", help="The set of signals to read, else the active one."),
]
RebuiltNamespace = Annotated[
    str | None,
    typer.Option("--namespace", metavar="NAME", help="The set of signals to write, else the state folder's."),
]
Rejects = Annotated[
    str | None, typer.Option("--rejects", metavar="FILE|kafka://HOST:PORT/TOPIC", help="Where bad records are told.")
]
Processes = Annotated[int | None, typer.Option("--processes", metavar="N", help="Processes that share the work.")]
Shards = Annotated[
    int | None, typer.Option("--shards", metavar="N", help="Buckets of people; fixed for a state folder.")
]
CheckpointEvery = Annotated[
    float | None, typer.Option("--checkpoint-every", metavar="SECONDS", help="Time between checkpoints.")
]
Cache = Annotated[
    int | None, typer.Option("--cache", metavar="PEOPLE", help="People kept unpacked in memory; the rest is on disk.")
]
Population = Annotated[
    str | None,
    typer.Option("--population", metavar="learn|none|N", help="What is believed of everybody: learn it, or a version."),
]
Ttl = Annotated[str | None, typer.Option("--ttl", metavar="DAYS|none", help="How long a signal lives after its event.")]
Start = Annotated[
    str | None,
    typer.Option("--start", metavar="earliest|latest|EPOCH_MS|offset:N", help="Where a first run begins to read."),
]
Metrics = Annotated[
    str | None, typer.Option("--metrics", metavar="HOST:PORT|off", help="Address of /metrics and /healthz.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
