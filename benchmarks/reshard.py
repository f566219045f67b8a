"""Change of the number of shards: users per second, CPU per user, and memory.

    python -m benchmarks.reshard [--users N] [--shards N]

A cut of users with full state in 16 shards, with training in each, is in object storage in a local folder. The command
fetches it, writes all users into new checkpoints, compares each user, and uploads the new cut. Time and CPU include all
of that; memory is the highest resident size of the process, and what it was at the start.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

from msgspec.structs import replace

from benchmarks.machine import machine
from benchmarks.processes import in_new_process
from benchmarks.state import fill_users
from dataflows.cuts.bucket import open_bucket
from dataflows.cuts.keyed_states import read_states, replace_states
from dataflows.cuts.local_cut import LocalCut
from dataflows.cuts.process import UploadProcess
from dataflows.cuts.reshard import reshard
from dataflows.cuts.uploads import UploadJob
from dataflows.graph import TRAIN_STEP
from dataflows.lease import Lease, now_s
from dataflows.observability.logs import configure
from dataflows.settings import Settings
from dataflows.state_folder import RECOVERY, read_identity, write_identity
from operators.train_state import TrainState, pack_train_state
from state.catalogue.numbered import NumberedCatalogue
from state.learning.encryption import derived_key
from state.learning.shard_training import ShardTraining
from tacit.contract.pseudonyms import fingerprint
from tests.support.commands import SECRET

_SHARDS = 16
_LONG_S = 86_400


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reshard", description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=100_000, help="users in the state (default: %(default)s)")
    parser.add_argument("--shards", type=int, default=64, help="new number of shards (default: %(default)s)")
    options = parser.parse_args()
    print(machine())
    configure("error", as_json=True)
    with tempfile.TemporaryDirectory(prefix="tacit-benchmark-") as folder:
        state, bucket = Path(folder) / "state", Path(folder) / "bucket"
        bucket.mkdir()
        settings = Settings(secret=SECRET, checkpoints=f"file://{bucket}", embedded=True)
        in_new_process(fill_users, state, options.users)
        in_new_process(_make_cut, settings, state)
        print(in_new_process(_measure, settings, options.shards))


def _make_cut(settings: Settings, state: Path) -> None:
    key = derived_key(settings.secret_bytes)
    write_identity(state, replace(read_identity(state), secret=fingerprint(settings.secret_bytes)))
    training = ShardTraining(NumberedCatalogue.load(), key, shards=_SHARDS).pack()
    states = read_states(state / RECOVERY)
    states.set_shards(
        TRAIN_STEP, {shard: pack_train_state(TrainState(shard, training), key) for shard in range(_SHARDS)}
    )
    replace_states(state / RECOVERY, states)
    lease = Lease()
    lease.extend(now_s() + _LONG_S)
    job = UploadJob(settings, state, LocalCut(1), lease, "error")
    with UploadProcess(job, lambda _: None) as process:
        process.finish()


def _measure(settings: Settings, shards: int) -> str:
    configure("error", as_json=True)
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    done = reshard(open_bucket(settings), settings, shards)
    took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = done.cut.size / 1e6 if done.cut else 0.0
    return (
        f"{done.users:,} users, {size:,.0f} MB, from {_SHARDS} to {shards} shards: {took_s:.1f} s, "
        f"{done.users / took_s:,.0f} users per second, {cpu_s / done.users * 1e6:.0f} µs of CPU per user, "
        f"memory {before_mb:,.0f} MB before, {peak_mb:,.0f} MB at most"
    )


if __name__ == "__main__":
    main()
