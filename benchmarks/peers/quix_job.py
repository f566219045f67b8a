"""The peers' job on Quix Streams, as its documentation describes stateful applications and the Redis sink.

    python -m benchmarks.peers.quix_job kafka://HOST:PORT/TOPIC redis+socket EVENTS FOLDER

State is in RocksDB, with a changelog topic; values are bytes, which the function makes by pickle.
"""

import pickle
import sys
from uuid import uuid4

from quixstreams import Application, State
from quixstreams.sinks.community.redis import RedisSink

from benchmarks.peers.job import Event, User, is_interaction, key_of, step


def main(source: str, url: str, events: str, folder: str) -> None:
    """Read a topic from its beginning, until as many events are processed as it has."""
    servers, _, name = source.removeprefix("kafka://").partition("/")
    app = Application(
        broker_address=servers,
        consumer_group=f"peers-{uuid4().hex}",
        auto_offset_reset="earliest",
        state_dir=folder,
        loglevel="ERROR",
    )
    stream = app.dataframe(app.topic(name, key_deserializer="str", value_deserializer="json"))
    stream = stream.filter(is_interaction).apply(_learn, stateful=True)
    stream.sink(
        RedisSink(
            host="",
            port=0,
            db=0,
            unix_socket_path=url.removeprefix("unix://"),
            key_serializer=lambda key, _: key_of(key),
            value_serializer=str,
        )
    )
    app.run(count=int(events), collect=False)


def _learn(event: Event, state: State) -> str:
    saved = state.get_bytes("user")
    user = pickle.loads(saved) if saved else User()  # noqa: S301  the job's own bytes
    signal = step(user, event)
    state.set_bytes("user", pickle.dumps(user))
    return signal


if __name__ == "__main__":
    main(*sys.argv[1:])
